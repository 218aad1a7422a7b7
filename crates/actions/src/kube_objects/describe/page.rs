//! The layout of a description: aligned fields, lists beside their name, nested sections, tables; it knows nothing of
//! Kubernetes.

/// One entry of a page or section.
#[derive(Debug)]
enum Row {
    /// A name and its value; further lines stand below the first.
    Field(String, Vec<String>),
    /// A name with a page of its own below it.
    Section(String, Page),
    /// A name with columns below it, the first line their names.
    Table(String, Vec<Vec<String>>),
}

/// A sequence of entries, aligned with one another.
#[derive(Debug, Default)]
pub(super) struct Page {
    rows: Vec<Row>,
}

/// What stands where there is nothing.
const NONE: &str = "<none>";

impl Page {
    /// A name and its value, if it has one.
    pub(super) fn field(&mut self, name: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value.map(Into::into).filter(|value| !value.is_empty()) {
            let lines = value.lines().map(str::to_owned).collect();
            self.rows.push(Row::Field(name.to_owned(), lines));
        }
    }

    /// A name and several lines beside it; `<none>` when there are no lines.
    pub(super) fn list(&mut self, name: &str, mut lines: Vec<String>) {
        if lines.is_empty() {
            lines.push(NONE.to_owned());
        }
        self.rows.push(Row::Field(name.to_owned(), lines));
    }

    /// [`Self::list`], left out when there are no lines.
    pub(super) fn list_if_any(&mut self, name: &str, lines: Vec<String>) {
        if !lines.is_empty() {
            self.list(name, lines);
        }
    }

    /// A section, left out when it is empty.
    pub(super) fn section(&mut self, name: &str, page: Page) {
        if !page.rows.is_empty() {
            self.rows.push(Row::Section(name.to_owned(), page));
        }
    }

    /// A table; `<none>` when there are no rows.
    pub(super) fn table(&mut self, name: &str, columns: &[&str], rows: Vec<Vec<String>>) {
        if rows.is_empty() {
            self.list(name, Vec::new());
            return;
        }
        let header = columns.iter().map(|column| (*column).to_owned()).collect();
        let rule = columns.iter().map(|column| "-".repeat(column.len())).collect();
        let table = [header, rule].into_iter().chain(rows).collect();
        self.rows.push(Row::Table(name.to_owned(), table));
    }

    /// The page as text, every line ended.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        self.render_into(&mut text, 0);
        text
    }

    fn render_into(&self, text: &mut String, indent: usize) {
        let widths = self.rows.iter().filter_map(|row| match row {
            Row::Field(name, _) => Some(width(name)),
            Row::Section(..) | Row::Table(..) => None,
        });
        // The colon and two spaces stand between the longest name and its value.
        let value_at = widths.max().unwrap_or(0) + 3;
        for row in &self.rows {
            match row {
                Row::Field(name, lines) => {
                    let mut label = format!("{name}:");
                    for line in lines {
                        let padding = value_at.saturating_sub(width(&label));
                        push_line(text, indent, &format!("{label}{}{line}", " ".repeat(padding)));
                        label.clear();
                    }
                }
                Row::Section(name, page) => {
                    push_line(text, indent, &format!("{name}:"));
                    page.render_into(text, indent + 2);
                }
                Row::Table(name, rows) => {
                    push_line(text, indent, &format!("{name}:"));
                    render_table(text, indent + 2, rows);
                }
            }
        }
    }
}

fn render_table(text: &mut String, indent: usize, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    for row in rows {
        let mut line = String::new();
        for (cell, column) in row.iter().zip(&widths) {
            // A cell is one line, whatever a message holds.
            line.extend(cell.chars().map(|c| if c.is_control() { ' ' } else { c }));
            line.push_str(&" ".repeat(column - width(cell) + 2));
        }
        push_line(text, indent, &line);
    }
}

fn push_line(text: &mut String, indent: usize, line: &str) {
    text.push_str(&" ".repeat(indent));
    text.push_str(line.trim_end());
    text.push('\n');
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_aligned_within_their_section() {
        let mut inner = Page::default();
        inner.field("Image", Some("a"));
        inner.field("Restart Count", Some("3"));
        let mut page = Page::default();
        page.field("Name", Some("x"));
        page.field("Left Out", None::<String>);
        page.list("Labels", vec!["a=b".into(), "c=d".into()]);
        page.list("Annotations", Vec::new());
        page.section("Containers", inner);
        page.section("Empty", Page::default());
        page.table(
            "Events",
            &["Type", "Message"],
            vec![vec!["Normal".into(), "two\nlines".into()]],
        );
        page.table("Conditions", &["Type"], Vec::new());
        let expected = "\
Name:         x
Labels:       a=b
              c=d
Annotations:  <none>
Containers:
  Image:          a
  Restart Count:  3
Events:
  Type    Message
  ----    -------
  Normal  two lines
Conditions:   <none>
";
        assert_eq!(page.render(), expected);
    }
}
