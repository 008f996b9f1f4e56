//! Columns that line up, for people; tabs between, for programs that read a pipe.
use std::io::{self, IsTerminal, Write};

/// Prints rows under a head. On a pipe there is no head and no padding.
pub(crate) fn print(head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let stdout = io::stdout();
    let people = stdout.is_terminal();
    write(&mut stdout.lock(), people, head, rows)
}

fn write(to: &mut impl Write, people: bool, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    if !people {
        for row in rows {
            writeln!(to, "{}", row.join("\t"))?;
        }
        return Ok(());
    }
    let head: Vec<String> = head.iter().map(|name| name.to_uppercase()).collect();
    let mut widths: Vec<usize> = head.iter().map(String::len).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(&head).chain(rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(to, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_columns_and_pipes_see_tabs() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["long".to_owned(), "2".to_owned()]];
        let text = |people| {
            let mut out = Vec::new();
            write(&mut out, people, &["name", "n"], &rows).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(true), "NAME  N\na     1\nlong  2\n");
        assert_eq!(text(false), "a\t1\nlong\t2\n");
    }
}
