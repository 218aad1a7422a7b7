//! What must go and what must stay: every example of the rules, further forms of each secret, and ordinary log lines.

use periscope_redact::{ContentKind, RULES, Redactor, Rules, redact_str};
use rstest::rstest;

fn run(kind: ContentKind, text: &str) -> String {
    let mut redactor = Redactor::new(Rules::shared(), kind);
    let mut out = Vec::new();
    let done = redactor
        .push(text.as_bytes(), &mut out)
        .and_then(|()| redactor.finish(&mut out));
    assert!(done.is_ok(), "{done:?}");
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn the_examples_of_the_rules_hold() {
    for rule in RULES.iter().filter(|rule| rule.id != "secret-data") {
        assert_eq!(redact_str(rule.example), rule.redacted, "{}", rule.id);
        assert_eq!(redact_str(rule.redacted), rule.redacted, "{} twice", rule.id);
        assert!(rule.redacted.contains(&format!("[REDACTED:{}]", rule.id)));
    }
}

#[test]
fn the_example_of_the_object_rule_holds() {
    let rule = RULES.iter().find(|rule| rule.id == "secret-data").unwrap();
    let mut object = serde_json::from_str(rule.example).unwrap();
    periscope_redact::object::redact(&mut object);
    assert_eq!(object.to_string(), rule.redacted);
}

/// `§` stands around each secret, which is named by its rule in what comes out.
fn planted(marked: &str) -> (String, Vec<String>) {
    let secrets = marked.split('§').skip(1).step_by(2).map(str::to_owned).collect();
    (marked.replace('§', ""), secrets)
}

const KEY88: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

#[rstest]
// Shared access signatures
#[case::sas_first(
    "PUT https://a.blob.core.windows.net/c/b?sig=§dGhpcyBpcyBhIHNpZ25hdHVyZSBvZiAzMiBieXRlcw%3D%3D§&sv=2024 403"
)]
#[case::sas_json(
    r#"{"url":"https://a.blob.core.windows.net/c?sv=1\u0026sig=§dGhpcyBpcyBhIHNpZ25hdHVyZSBvZiAz%2B§\u0026se=2"}"#
)]
#[case::sas_html("?sv=1&amp;sig=§dGhpcyBpcyBhIHNpZ25hdHVyZSBvZiAz%2B§&amp;se=2")]
#[case::sas_encoded(
    "redirect=https%3A%2F%2Fa.blob.core.windows.net%2Fc%3Fsv%3D1%26sig%3D§dGhpcyBpcyBhIHNpZ25hdHVyZSBvZiAz%252B§%26se%3D2"
)]
#[case::sas_alone("AZURE_BLOB_SAS=?sv=2024-11-04&ss=b&sig=§dGhpcyBpcyBhIHNpZ25hdHVyZSBvZiAz/+=§")]
#[case::sas_slashes("?sig=§dGhpcyBpcy/BhIHNpZ25h+dHVyZSBvZiAz=§ HTTP/1.1")]
#[case::sas_gson(r"?sv\u003d1\u0026sig\u003d§dGhpcyBpcyBhIHNpZ25hdHVyZSBvZiAz§\u0026x")]
// Connection strings
#[case::ado(r"Server=tcp:db,1433;User ID=sa;Password=§p@ss,w0rd§;Encrypt=true")]
#[case::pwd("Uid=sa;Pwd=§hunter2§;")]
#[case::key88_yaml(
    "  storageAccountPrimaryKey: §Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==§"
)]
#[case::key88_weak(
    r#""key1": "§Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==§""#
)]
#[case::marked_key(
    "found §Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tqK1SZFPTOtrKBHB+AStoGMGwA==§ there"
)]
// Headers
#[case::bearer_curl(r#"curl -k -H "Authorization: Bearer §abc.def-123456§" https://10.0.0.1"#)]
#[case::basic_json(r#"{"headers":{"Authorization":"Basic §dXNlcjpwYXNz§"}}"#)]
#[case::go_header(r#"http.Header{"Authorization":[]string{"Bearer §0123abcdEF§"}, "Accept":[]string{"*/*"}}"#)]
#[case::go_map("map[Authorization:[Bearer §0123abcdEF§] Accept:[*/*]]")]
#[case::shared_key("Authorization: SharedKey acct:§§c2lnbmF0dXJl".replace("acct:§§c2lnbmF0dXJl", "§acct:c2lnbmF0dXJl§"))]
#[case::proxy("Proxy-Authorization: Basic §dXNlcjpwYXNz§")]
#[case::lower("authorization: bearer §0123456789abcdef§")]
#[case::digest("authorization: Digest §username=x, response=abc§")]
#[case::cookie(r#"{"Cookie":"§a=b; c=d§","Host":"x"}"#)]
#[case::cookie_escaped(r#"msg="GET / HTTP/1.1\r\nCookie: §sid=1234§\r\nHost: x""#)]
// Tokens by form
#[case::jwt_quoted(
    r#"token "§eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2ln-_bmF0dXJl§" expired"#
)]
#[case::jwt_unsigned("§eyJhbGciOiJub25lIn0.eyJpc3MiOiJrdWJlcm5ldGVzIn0§.")]
#[case::github_fine("§github_pat_11ABCDEFG0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJ§")]
#[case::github_escaped(r"line\n§ghs_0123456789abcdefghijABCDEFGHIJ012345§\n")]
#[case::google_oauth("§ya29.a0AfH6SMBx-0123456789_abcdef§")]
#[case::entra("secret value §Abc8Q~dEfGhIjKlMnOpQrStUvWxYz0123456789.-§")]
#[case::slack_hook("POST https://§hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX§")]
#[case::aws_secret("aws_secret_access_key = §wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY§")]
#[case::docker_config(".dockerconfigjson: §eyJhdXRocyI6eyJyLmlvIjp7ImF1dGgiOiJkVHB3In19fQ==§")]
// URLs
#[case::url_user("postgres://app:§hunter2§@db.default.svc:5432/x?sslmode=require")]
#[case::url_no_user("redis://:§hunter2§@cache:6379/0")]
#[case::url_slash("amqp://app:§hun/ter2§@mq/")]
#[case::url_at("https://app%40corp:§p@ss§@proxy:3128")]
#[case::url_token("git clone https://§0123456789abcdef0123§@git.example.com/x.git")]
#[case::url_encoded("proxy=http%3A%2F%2Fapp%3A§hunter2§%40proxy%3A3128")]
// Names and values
#[case::env("DB_PASSWORD=§hunter2§")]
#[case::env_symbols("DB_PASSWORD=§a,b;c&d#e§")]
#[case::env_spaced("export MY_SECRET = §abc123§")]
#[case::mixed_case("dbPaSsWoRd=§hunter2§")]
#[case::json_space(r#"  "password" : "§correct horse§","#)]
#[case::json_quote(r#"{"password":"§a\"b§","user":"x"}"#)]
#[case::json_in_json(r#"{"msg":"{\"password\":\"§a\\\"b§\",\"user\":\"x\"}"}"#)]
#[case::json_list(r#"{"tokens":["§abc§","def"]}"#.replace(r#"§abc§","def""#, r#"§abc","def§""#))]
#[case::yaml("  password: §hunter§")]
#[case::yaml_quoted("password: '§it is me§'")]
#[case::toml(r#"password = "§hunter2§""#)]
#[case::cli("mysql --user root --password §hunter2§ --host db")]
#[case::cli_letters("mysql --user root --password §hunter§ --host db")]
#[case::curl("curl -k -u admin:§hunter2§ https://reg/v2/ --proxy-user p:§x9§")]
#[case::curl_joined("+ /usr/bin/curl -sSu 'admin:§hun ter2§' https://reg/v2/")]
#[case::curl_user("curl --user admin:§hunter2§ https://reg/v2/")]
#[case::curl_list(r#"args: ["curl","-u","admin:§hunter2§","https://reg/v2/"]"#)]
#[case::mysql("mysqldump -h db -uroot -p§hunter2§ app")]
#[case::mysql_list(r#"args: ["mysql","-p§hunter2§","app"]"#)]
#[case::mysql_quoted("mysql -p'§hun ter2§' app")]
#[case::mysql_symbol("mysql -p§#hunter2§ app")]
#[case::sshpass("sshpass -p §hunter2§ ssh -p 2222 node")]
#[case::sshpass_joined("sshpass -v -p§hunter2§ ssh -p2222 node")]
#[case::databricks("host said §dapi0123456789abcdef0123456789abcdef§ expired")]
#[case::cli_equals("kubelet --bootstrap-token=§abcdef.0123456789abcdef§ --v=2")]
#[case::cli_json(r#"args: ["--token","§abc123§","--v"]"#)]
#[case::kubeadm("kubeadm join --token §abcdef.0123456789abcdef§ --discovery-token-unsafe-skip-ca-verification")]
#[case::go_struct("{Host:x Username:admin Password:§hunter2§ BearerToken:§abc123§}")]
#[case::go_env("Env:[]EnvVar{EnvVar{Name:DB_PASSWORD,Value:§hunter2§,ValueFrom:nil,},}")]
#[case::describe("      DB_PASSWORD:   §hunter2§")]
#[case::xml("<password>§hunter 2§</password>")]
#[case::query("/login?user=a&password=§hunter2§&x=1")]
#[case::klog(r#"I1120 1 x.go:1] "Login" user="a" password="§hunter2§" ok=true"#)]
#[case::client_secret_form("grant_type=client_credentials&client_secret=§abc~def§&scope=x")]
#[case::index("headers[\"X-Auth-Token\"] = \"§abc123§\"")]
#[case::subscription_key("Ocp-Apim-Subscription-Key: §0123456789abcdef0123456789abcdef§")]
#[case::pgpass("PGPASSWORD=§hunter2§ psql -h db")]
fn secrets_go(#[case] marked: impl Into<String>) {
    let (text, secrets) = planted(&marked.into());
    assert!(!secrets.is_empty());
    let kinds = [ContentKind::Text, ContentKind::Json, ContentKind::Yaml];
    for kind in kinds {
        let redacted = run(kind, &text);
        let mut markers = redacted
            .split_inclusive(']')
            .filter_map(|part| part.rfind("[REDACTED:").and_then(|at| part.get(at..)));
        let kept = secrets.iter().fold(text.clone(), |kept, secret| {
            kept.replacen(secret, markers.next().unwrap_or("nothing"), 1)
        });
        assert_eq!(redacted, kept, "only the secrets go");
        assert_eq!(run(kind, &redacted), redacted, "a second time");
    }
    // Inside the records of containers, too.
    let cri = format!("2026-11-20T20:19:15.000000000Z stderr F {text}\n");
    assert_eq!(
        run(ContentKind::CriLog, &cri),
        cri.replace(&text, &run(ContentKind::Text, &text))
    );
    let docker = |log: &str| {
        format!(
            "{}\n",
            serde_json::json!({"log": format!("{log}\n"), "stream": "stdout", "time": "t"})
        )
    };
    let redacted = run(ContentKind::DockerLog, &docker(&text));
    let record: serde_json::Value = serde_json::from_str(&redacted).expect("the record stays valid");
    assert_eq!(
        record["log"].as_str().unwrap().trim_end(),
        run(ContentKind::Text, &text).trim_end()
    );
}

#[rstest]
#[case::lines(
    "a\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\nQQ==\n-----END RSA PRIVATE KEY-----\nb\n",
    "a\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n[REDACTED:private-key]\n[REDACTED:private-key]\n-----END RSA PRIVATE KEY-----\nb\n"
)]
#[case::indented(
    "key: |\n  -----BEGIN EC PRIVATE KEY-----\n  MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY\n  -----END EC PRIVATE KEY-----\n",
    "key: |\n  -----BEGIN EC PRIVATE KEY-----\n  [REDACTED:private-key]\n  -----END EC PRIVATE KEY-----\n"
)]
#[case::never_ends(
    "err: bad -----BEGIN PRIVATE KEY-----\nI1120 a line that must stay\nDB_PASSWORD=x1\n",
    "err: bad -----BEGIN PRIVATE KEY-----\nI1120 a line that must stay\nDB_PASSWORD=[REDACTED:password]\n"
)]
#[case::escaped(
    r#"{"private_key":"-----BEGIN PRIVATE KEY-----\nMIIEvQ\nQQ==\n-----END PRIVATE KEY-----\n","x":1}"#,
    r#"{"private_key":"[REDACTED]","x":1}"#
)]
#[case::prefixed(
    "Nov 20 host p[1]: -----BEGIN PRIVATE KEY-----\nNov 20 host p[1]: MIIEvQIBADANBgkqhkiG9w0BAQEF\nNov 20 host p[1]: QQ==\nNov 20 host p[1]: -----END PRIVATE KEY-----\n",
    "Nov 20 host p[1]: -----BEGIN PRIVATE KEY-----\nNov 20 host p[1]: [REDACTED:private-key]\nNov 20 host p[1]: [REDACTED:private-key]\nNov 20 host p[1]: -----END PRIVATE KEY-----\n"
)]
#[case::certificate(
    "-----BEGIN CERTIFICATE-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n-----END CERTIFICATE-----\n",
    "-----BEGIN CERTIFICATE-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n-----END CERTIFICATE-----\n"
)]
#[case::base64(
    "  tls.key: LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JSUV2UUlCQURBTkJna3Foa2lHOXcwQkFRRUZBQVNDQktjd2dnU2oKLS0tLS1FTkQgUFJJVkFURSBLRVktLS0tLQo=\n",
    "  tls.key: [REDACTED:private-key]\n"
)]
#[case::variable(
    "      \"name\": \"DB_PASSWORD\",\n      \"value\": \"hunter2\"\n      \"value\": \"other\"\n",
    "      \"name\": \"DB_PASSWORD\",\n      \"value\": \"[REDACTED:env-value]\"\n      \"value\": \"other\"\n"
)]
#[case::yaml_variable(
    "- name: API_TOKEN\n  value: a b\n- name: X\n  value: y\n",
    "- name: API_TOKEN\n  value: [REDACTED:env-value]\n- name: X\n  value: y\n"
)]
#[case::yaml_block(
    "password: |\n  hunter2\n  more\nnext: x\n",
    "password: |\n  [REDACTED:password]\n  [REDACTED:password]\nnext: x\n"
)]
fn blocks_are_followed_over_lines(#[case] text: &str, #[case] expected: &str) {
    let expected = expected.replace(
        "[REDACTED]",
        "-----BEGIN PRIVATE KEY-----[REDACTED:private-key]-----END PRIVATE KEY-----\\n",
    );
    let redacted = run(ContentKind::Text, text);
    assert_eq!(redacted, expected);
    assert_eq!(run(ContentKind::Text, &redacted), expected, "a second time");
    if !text.contains('"') {
        let prefix = "2026-11-20T20:19:15.000000000Z stdout F ";
        let framed = |text: &str| text.lines().fold(String::new(), |all, line| all + prefix + line + "\n");
        assert_eq!(run(ContentKind::CriLog, &framed(text)), framed(&expected));
    }
}

#[test]
fn bare_numbers_are_replaced_by_strings() {
    assert_eq!(
        redact_str(r#"{"password":12345,"x":1}"#),
        r#"{"password":"[REDACTED:password]","x":1}"#
    );
    assert_eq!(
        redact_str(r#"{\"password\":12345}"#),
        r#"{\"password\":\"[REDACTED:password]\"}"#
    );
}

#[test]
fn fragments_of_one_line_are_seen_together() {
    let t = "2026-11-20T20:19:15.000000000Z";
    let input = format!(
        "{t} stdout P x DB_PASSW\n{t} stderr F between token=abc1\n{t} stdout P ORD=hun\n{t} stdout F ter2 end\n"
    );
    let expected = format!(
        "{t} stdout P x DB_PASSW\n{t} stderr F between token=[REDACTED:token]\n{t} stdout P ORD=[REDACTED:password]\n{t} stdout F [REDACTED:password] end\n"
    );
    assert_eq!(run(ContentKind::CriLog, &input), expected);
    let input = concat!(
        r#"{"log":"x DB_PASSWORD=hun","stream":"stdout","time":"t"}"#,
        "\n",
        r#"{"log":"plain\n","stream":"stderr","time":"t"}"#,
        "\n",
        r#"{"log":"ter2\n","stream":"stdout","time":"t"}"#,
        "\n",
    );
    let expected = input
        .replace("hun\"", "[REDACTED:password]\"")
        .replace("ter2", "[REDACTED:password]");
    assert_eq!(run(ContentKind::DockerLog, input), expected);
}

#[test]
fn a_fragment_whose_rest_never_comes_does_not_hold_the_stream() {
    let t = "2026-11-20T20:19:15Z";
    let mut redactor = Redactor::new(Rules::shared(), ContentKind::CriLog);
    let mut out = Vec::new();
    redactor
        .push(format!("{t} stdout P DB_PASSWORD=hun\n").as_bytes(), &mut out)
        .unwrap();
    let line = format!("{t} stderr F {}\n", "x".repeat(1000));
    let mut pushed = 0;
    for _ in 0..1000 {
        redactor.push(line.as_bytes(), &mut out).unwrap();
        pushed += line.len();
        assert!(pushed < out.len() + 3 * periscope_redact::LOOK_BEHIND);
    }
    assert!(!String::from_utf8(out).unwrap().contains("=hun"));
}

#[test]
fn secrets_at_every_edge_of_a_window_are_found_whole() {
    let secret = format!("{KEY88}x");
    for edge in [48 << 10, 64 << 10, 96 << 10, 112 << 10] {
        for shift in (0..secret.len() + 24).step_by(7) {
            let text = format!(
                "{} password=\"{secret}\" {}",
                "x".repeat(edge - shift),
                "y".repeat(80 << 10)
            );
            let expected = text.replace(&secret, "[REDACTED:password]");
            assert!(run(ContentKind::Text, &text) == expected, "{edge} {shift}");
        }
    }
}

#[test]
fn a_block_goes_on_behind_a_line_of_any_length() {
    for length in [100, 40 << 10, 100 << 10] {
        let line = format!("-----BEGIN RSA PRIVATE KEY-----\nComment: {}\n", "-".repeat(length));
        let text = format!("{line}MIIEvQIBADANBgkqhkiG9w0BAQEF\n");
        let expected = format!("{line}[REDACTED:private-key]\n");
        assert!(run(ContentKind::Text, &text) == expected, "{length}");
    }
}

#[test]
fn secrets_longer_than_the_promise_are_replaced_to_their_end() {
    let text = format!("{} password=\"{}\" end\n", "x".repeat(40 << 10), "s".repeat(200 << 10));
    let redacted = run(ContentKind::Text, &text);
    assert!(!redacted.contains("sss"), "{}", redacted.len());
    assert!(redacted.ends_with("\" end\n"));
}

#[test]
fn binary_content_keeps_its_length() {
    let text = "\0\x01ghp_0123456789abcdefghijABCDEFGHIJ012345\0password=hunter2\0";
    let redacted = run(ContentKind::Binary, text);
    assert_eq!(
        redacted,
        text.replace("ghp_0123456789abcdefghijABCDEFGHIJ012345", &"*".repeat(40))
    );
}

#[test]
fn bytes_that_are_no_text_stay() {
    let mut redactor = Redactor::new(Rules::shared(), ContentKind::Text);
    let mut out = Vec::new();
    redactor.push(b"\xfd\xfe password=hunter2 \x80\n", &mut out).unwrap();
    redactor.finish(&mut out).unwrap();
    assert_eq!(out, b"\xfd\xfe password=[REDACTED:password] \x80\n");
    assert!(redactor.push(b"x", &mut out).is_err());
}

#[test]
fn ordinary_logs_stay_as_they_are() {
    let corpus = include_str!("ordinary.log");
    for line in corpus.lines() {
        assert_eq!(redact_str(line), line);
    }
    for kind in [
        ContentKind::Text,
        ContentKind::Json,
        ContentKind::Yaml,
        ContentKind::CriLog,
        ContentKind::DockerLog,
        ContentKind::Binary,
    ] {
        assert_eq!(run(kind, corpus), corpus);
    }
}
