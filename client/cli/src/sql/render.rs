//! Rows as a table, one value a line, JSON, or CSV.
use std::io::{self, Write};

use millrace_client::views::{Column, Row, Value, Window};
use millrace_sql::ast::DataType;
use serde_json::{Map, Value as Json};

use crate::sql::text::{json, text, type_of};

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Aligned columns
    Table,
    /// A line for each value
    Vertical,
    /// An object for each row, one a line
    Json,
    /// With a head, quoted where needed
    Csv,
}

/// A cell that is wider is cut in a table; the other formats have all of it.
const CELL_CHARS_MAX: usize = 120;
/// A column that may still grow is given at least so much in a table of changes.
const CHANGES_WIDTH_MIN: usize = 12;

/// Writes one answer: its rows may come in several parts.
pub(crate) struct Renderer {
    format: Format,
    names: Vec<String>,
    types: Vec<Option<DataType>>,
    numbers: Vec<bool>,
    windowed: bool,
    widths: Option<Vec<usize>>,
    rows: u64,
    /// Rows go on coming: columns are as wide as the first ones need, and later rows line up as far as they fit.
    endless: bool,
}

impl Renderer {
    pub(crate) fn new(format: Format, columns: &[Column], endless: bool) -> Renderer {
        let number = |column: &Column| matches!(column.sql_type.split('(').next(), Some("INTEGER" | "BIGINT" | "DOUBLE" | "DECIMAL"));
        Renderer {
            format,
            names: columns.iter().map(|column| column.name.clone()).collect(),
            types: columns.iter().map(|column| type_of(&column.sql_type)).collect(),
            numbers: columns.iter().map(number).collect(),
            windowed: false,
            widths: None,
            rows: 0,
            endless,
        }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    pub(crate) fn write<'a>(&mut self, to: &mut impl Write, rows: impl Iterator<Item = (&'a Row, bool)>) -> io::Result<()> {
        let rows: Vec<(&Row, bool)> = rows.collect();
        if self.rows == 0 {
            self.windowed = rows.iter().any(|(row, _)| row.window.is_some());
        }
        match self.format {
            Format::Table => self.table(to, &rows)?,
            Format::Vertical => self.vertical(to, &rows)?,
            Format::Json => self.json(to, &rows)?,
            Format::Csv => self.csv(to, &rows)?,
        }
        self.rows += rows.len() as u64;
        to.flush()
    }

    /// What stands at the end of an answer that has one.
    pub(crate) fn end(&mut self, to: &mut impl Write) -> io::Result<()> {
        if self.rows == 0 && matches!(self.format, Format::Table | Format::Csv) {
            self.write(to, std::iter::empty())?;
        }
        if self.format == Format::Table {
            writeln!(to, "({} row{})", self.rows, if self.rows == 1 { "" } else { "s" })?;
        }
        to.flush()
    }

    fn head(&self) -> Vec<String> {
        let window = if self.windowed { vec!["WINDOWSTART".to_owned(), "WINDOWEND".to_owned()] } else { Vec::new() };
        self.names.iter().cloned().chain(window).collect()
    }

    fn window(&self, row: &Row) -> Vec<Value> {
        match (self.windowed, row.window) {
            (false, _) => Vec::new(),
            (true, Some(Window { start_ms, end_ms })) => vec![Value::Timestamp(start_ms), Value::Timestamp(end_ms)],
            (true, None) => vec![Value::Null, Value::Null],
        }
    }

    /// Null as nothing.
    fn cells(&self, row: &Row) -> Vec<Option<String>> {
        let own = row.values().iter().zip(&self.types).map(|(value, of)| text(value, of.as_ref()));
        own.chain(self.window(row).iter().map(|value| text(value, None))).collect()
    }

    fn table(&mut self, to: &mut impl Write, rows: &[(&Row, bool)]) -> io::Result<()> {
        let shown: Vec<Vec<String>> = rows
            .iter()
            .map(|(row, deleted)| {
                let keys = row.columns().iter().map(|column| column.key).chain([true, true]);
                let cell = |(cell, key): (Option<String>, bool)| match cell {
                    Some(cell) => one_line(&cell),
                    None if *deleted && !key => "-".to_owned(),
                    None => "NULL".to_owned(),
                };
                self.cells(row).into_iter().zip(keys).map(cell).collect()
            })
            .collect();
        let head = self.head();
        let first = self.widths.is_none();
        let widths = self.widths.get_or_insert_with(|| {
            let least = if self.endless { CHANGES_WIDTH_MIN } else { 0 };
            let mut widths: Vec<usize> = head.iter().map(|name| width(name).max(least)).collect();
            for row in &shown {
                widths.iter_mut().zip(row).for_each(|(widest, cell)| *widest = width(cell).max(*widest));
            }
            widths
        });
        if first {
            writeln!(to, "{}", line(&head, widths, &[]))?;
            writeln!(to, "{}", widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>().join("-+-"))?;
        }
        for (cells, (_, deleted)) in shown.iter().zip(rows) {
            writeln!(to, "{}{}", line(cells, widths, &self.numbers), if *deleted { "  (deleted)" } else { "" })?;
        }
        Ok(())
    }

    fn vertical(&self, to: &mut impl Write, rows: &[(&Row, bool)]) -> io::Result<()> {
        let head = self.head();
        let widest = head.iter().map(|name| width(name)).max().unwrap_or(0);
        for (number, (row, deleted)) in rows.iter().enumerate() {
            writeln!(to, "-[ row {} ]-{}", self.rows + number as u64 + 1, if *deleted { " deleted" } else { "" })?;
            for (name, cell) in head.iter().zip(self.cells(row)) {
                writeln!(to, "{name:<widest$} | {}", cell.unwrap_or_else(|| "NULL".into()))?;
            }
        }
        Ok(())
    }

    fn json(&self, to: &mut impl Write, rows: &[(&Row, bool)]) -> io::Result<()> {
        for (row, deleted) in rows {
            let own = row.values().iter().zip(&self.types).map(|(value, of)| json(value, of.as_ref()));
            let window = self.window(row);
            let values = own.chain(window.iter().map(|value| json(value, None)));
            let mut object: Map<String, Json> = self.head().into_iter().zip(values).collect();
            if *deleted {
                object.insert("@deleted".into(), Json::Bool(true));
            }
            writeln!(to, "{}", Json::Object(object))?;
        }
        Ok(())
    }

    fn csv(&self, to: &mut impl Write, rows: &[(&Row, bool)]) -> io::Result<()> {
        let mut head = self.head();
        if self.endless {
            head.push("@deleted".into());
        }
        if self.rows == 0 {
            writeln!(to, "{}", head.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(","))?;
        }
        for (row, deleted) in rows {
            // Null is nothing, an empty text is "".
            let mut cells: Vec<String> = self.cells(row).into_iter().map(|cell| cell.map_or(String::new(), |cell| quoted(&cell))).collect();
            if self.endless {
                cells.push(deleted.to_string());
            }
            writeln!(to, "{}", cells.join(","))?;
        }
        Ok(())
    }
}

fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// No line break or other control leaves its cell, and none is endless.
fn one_line(cell: &str) -> String {
    let mut shown: String = cell.chars().take(CELL_CHARS_MAX).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if cell.chars().nth(CELL_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn line(cells: &[String], widths: &[usize], numbers: &[bool]) -> String {
    let padded = cells.iter().zip(widths).enumerate().map(|(at, (cell, widest))| {
        let blank = " ".repeat(widest.saturating_sub(width(cell)));
        if numbers.get(at).copied().unwrap_or(false) { format!("{blank}{cell}") } else { format!("{cell}{blank}") }
    });
    padded.collect::<Vec<_>>().join(" | ").trim_end().to_owned()
}

fn quoted(cell: &str) -> String {
    let plain = !cell.is_empty() && !cell.contains([',', '"', '\n', '\r']);
    if plain { cell.to_owned() } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
}
