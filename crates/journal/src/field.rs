//! The journal fields that matter for selecting and printing entries; the other fields of an entry are never looked at.
//!
//! Names and meanings: `systemd.journal-fields(7)`.

/// A field of an entry, other than its message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Field {
    /// `_SYSTEMD_UNIT`: the unit of the process that logged.
    SystemdUnit,
    /// `UNIT`: the unit that pid 1 logs about.
    Unit,
    /// `OBJECT_SYSTEMD_UNIT`: the unit that a privileged daemon logs about.
    ObjectSystemdUnit,
    /// `COREDUMP_UNIT`: the unit whose process crashed.
    CoredumpUnit,
    /// `MESSAGE_ID`: the kind of message, as 32 hexadecimal digits.
    MessageId,
    /// `_UID`: the user id of the process that logged, in decimal.
    Uid,
    /// `_PID`: the process that logged, in decimal.
    Pid,
    /// `SYSLOG_PID`: the process as it named itself.
    SyslogPid,
    /// `_COMM`: the name of the process.
    Comm,
    /// `SYSLOG_IDENTIFIER`: the name that the process gave itself.
    SyslogIdentifier,
    /// `_HOSTNAME`: the host.
    Hostname,
    /// `_TRANSPORT`: how the entry came in; `kernel` for the kernel's own.
    Transport,
    /// `PRIORITY`: from 0 (emergency) to 7 (debug), in decimal.
    Priority,
    /// `_SOURCE_REALTIME_TIMESTAMP`: microseconds since 1970 as the sender had them, in decimal.
    SourceRealtime,
}

impl Field {
    /// How many fields there are.
    pub(crate) const COUNT: usize = 14;
}

/// What the payload of a DATA object, `NAME=value`, turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Name {
    Message,
    Field(Field),
    Other,
}

/// The longest name looked for, with its `=`.
pub(crate) const MAX_NAME: usize = "_SOURCE_REALTIME_TIMESTAMP=".len();

/// Tells the field from the start of a payload, and where its value starts.
#[inline]
pub(crate) fn classify(payload: &[u8]) -> (Name, usize) {
    let head = &payload[..payload.len().min(MAX_NAME)];
    let Some(end) = memchr::memchr(b'=', head) else {
        return (Name::Other, 0);
    };
    let name = match &head[..end] {
        b"MESSAGE" => Name::Message,
        b"_SYSTEMD_UNIT" => Name::Field(Field::SystemdUnit),
        b"UNIT" => Name::Field(Field::Unit),
        b"OBJECT_SYSTEMD_UNIT" => Name::Field(Field::ObjectSystemdUnit),
        b"COREDUMP_UNIT" => Name::Field(Field::CoredumpUnit),
        b"MESSAGE_ID" => Name::Field(Field::MessageId),
        b"_UID" => Name::Field(Field::Uid),
        b"_PID" => Name::Field(Field::Pid),
        b"SYSLOG_PID" => Name::Field(Field::SyslogPid),
        b"_COMM" => Name::Field(Field::Comm),
        b"SYSLOG_IDENTIFIER" => Name::Field(Field::SyslogIdentifier),
        b"_HOSTNAME" => Name::Field(Field::Hostname),
        b"_TRANSPORT" => Name::Field(Field::Transport),
        b"PRIORITY" => Name::Field(Field::Priority),
        b"_SOURCE_REALTIME_TIMESTAMP" => Name::Field(Field::SourceRealtime),
        _ => Name::Other,
    };
    (name, end + 1)
}
