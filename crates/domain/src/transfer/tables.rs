//! The tables of the schema, read from the migrations themselves, so that none can be forgotten.

use std::sync::LazyLock;

use crate::metadata::Value;
use crate::schema::{MIGRATIONS, Migration};

/// Parameters of one statement; SQLite's lower bound of old is 999.
const PARAMETERS_MAX: usize = 900;
/// Rows of one INSERT.
const ROWS_MAX: usize = 64;
/// Rows read at a time, where a row holds no bytes.
const PAGE: usize = 512;
/// Rows read at a time, where a row may hold a manifest of 4 MiB.
const PAGE_OF_BYTES: usize = 16;

/// Every table, those that others refer to before these.
///
/// # Panics
/// When a migration is written in a form this module does not know; a test holds that.
pub(crate) static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    columns_of(MIGRATIONS)
        .expect("a test reads every migration")
        .into_iter()
        .map(Table::new)
        .collect()
});

/// A table with the statements that copy it. They are made once in a process and never freed:
/// statements are constants everywhere else.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    /// Where the columns of the primary key stand in a row.
    key: Vec<usize>,
    pub(crate) page: usize,
    pub(crate) rows_of_insert: usize,
    pub(crate) first_page: &'static str,
    pub(crate) next_page: &'static str,
    pub(crate) insert_one: &'static str,
    pub(crate) insert_many: &'static str,
    pub(crate) clear: &'static str,
}

/// What the migrations say of a table.
#[derive(Debug, Default, PartialEq, Eq)]
struct Columns {
    table: String,
    names: Vec<String>,
    key: Vec<String>,
    bytes: bool,
}

impl Table {
    fn new(columns: Columns) -> Self {
        let Columns { table, names, key, bytes } = columns;
        let list = names.join(", ");
        let order = key.join(", ");
        let page = if bytes { PAGE_OF_BYTES } else { PAGE };
        let after: Vec<String> = (1..=key.len()).map(|number| format!("${number}")).collect();
        let rows_of_insert = (PARAMETERS_MAX / names.len()).clamp(1, ROWS_MAX).min(page);
        let select = |condition: &str| {
            leak(format!("SELECT {list} FROM {table}{condition} ORDER BY {order} LIMIT {page}"))
        };
        let insert = |rows: usize| {
            let mut number = 0;
            let mut values = Vec::with_capacity(rows);
            for _ in 0..rows {
                let row: Vec<String> = names
                    .iter()
                    .map(|_| {
                        number += 1;
                        format!("${number}")
                    })
                    .collect();
                values.push(format!("({})", row.join(", ")));
            }
            leak(format!("INSERT INTO {table} ({list}) VALUES {}", values.join(", ")))
        };
        Self {
            first_page: select(""),
            next_page: select(&format!(" WHERE ({order}) > ({})", after.join(", "))),
            insert_one: insert(1),
            insert_many: insert(rows_of_insert),
            clear: leak(format!("DELETE FROM {table}")),
            key: key
                .iter()
                .filter_map(|column| names.iter().position(|name| name == column))
                .collect(),
            name: table,
            columns: names,
            page,
            rows_of_insert,
        }
    }

    /// The primary key of a row, as the parameters of `next_page`.
    pub(crate) fn key_of(&self, row: &[Value]) -> Vec<Value> {
        self.key.iter().filter_map(|&index| row.get(index).cloned()).collect()
    }
}

fn leak(statement: String) -> &'static str {
    statement.leak()
}

/// The tables that migrations make, in their order; `None` for a statement of unknown form.
fn columns_of(migrations: &[Migration]) -> Option<Vec<Columns>> {
    let mut tables: Vec<Columns> = Vec::new();
    for migration in migrations {
        for statement in statements(migration.sql) {
            let words: Vec<&str> = statement.split_whitespace().take(6).collect();
            match words.as_slice() {
                ["CREATE", "TABLE", name, ..] => tables.push(create(name, &statement)?),
                ["ALTER", "TABLE", name, "ADD", "COLUMN", column] => {
                    let table = tables.iter_mut().find(|table| table.table == *name)?;
                    table.bytes |= statement.contains("BYTEA");
                    table.names.push((*column).to_owned());
                }
                ["ALTER", "TABLE", name, "DROP", "COLUMN", column] => {
                    let table = tables.iter_mut().find(|table| table.table == *name)?;
                    table.names.retain(|kept| kept != *column);
                }
                ["DROP", "INDEX", ..]
                | ["CREATE", "INDEX" | "UNIQUE", ..]
                | ["INSERT" | "UPDATE" | "DELETE", ..] => {}
                _ => return None,
            }
        }
    }
    Some(tables)
}

/// The statements of a migration without its comments. Neither stands inside a string there.
fn statements(sql: &str) -> Vec<String> {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    let text = lines.collect::<Vec<_>>().join("\n");
    text.split(';').map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect()
}

fn create(name: &str, statement: &str) -> Option<Columns> {
    let mut columns = Columns { table: name.to_owned(), ..Columns::default() };
    let inside = statement.split_once('(')?.1.rsplit_once(')')?.0;
    let mut depth = 0_usize;
    let parts = inside.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    for part in parts {
        let words: Vec<&str> = part.split_whitespace().collect();
        match words.as_slice() {
            ["PRIMARY", "KEY", ..] => {
                let list = part.split_once('(')?.1.rsplit_once(')')?.0;
                columns.key = list.split(',').map(|it| it.trim().to_owned()).collect();
            }
            ["UNIQUE" | "FOREIGN" | "CHECK", ..] => {}
            [column, "BIGINT" | "TEXT" | "BYTEA", ..] => {
                columns.names.push((*column).to_owned());
                columns.bytes |= words.get(1) == Some(&"BYTEA");
                if part.contains("PRIMARY KEY") {
                    columns.key = vec![(*column).to_owned()];
                }
            }
            _ => return None,
        }
    }
    (!columns.key.is_empty()).then_some(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: Migration = Migration {
        version: 1,
        name: "example",
        sql: "-- A comment; (with all)\n\
              CREATE TABLE a (id BIGINT NOT NULL PRIMARY KEY CHECK (id IN (1, 2)), b BYTEA);\n\
              CREATE INDEX a_by_b ON a (b);\n\
              INSERT INTO a (id, b) VALUES (1, NULL);\n\
              CREATE TABLE c (x TEXT NOT NULL, y BIGINT REFERENCES a (id), -- why\n\
              UNIQUE (x, y), PRIMARY KEY (y, x), FOREIGN KEY (y) REFERENCES a (id));\n\
              ALTER TABLE c ADD COLUMN z TEXT;",
    };

    #[test]
    fn tables_are_read_from_migrations() {
        let texts = |texts: &[&str]| texts.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        let expected = [
            Columns {
                table: "a".into(),
                names: texts(&["id", "b"]),
                key: texts(&["id"]),
                bytes: true,
            },
            Columns {
                table: "c".into(),
                names: texts(&["x", "y", "z"]),
                key: texts(&["y", "x"]),
                bytes: false,
            },
        ];
        assert_eq!(columns_of(&[EXAMPLE]).unwrap(), expected);
        for sql in ["DROP TABLE a", "CREATE TABLE a (id BIGINT)", "CREATE TABLE a (id REAL)"] {
            assert_eq!(columns_of(&[Migration { sql, ..EXAMPLE }]), None, "{sql}");
        }
    }

    #[test]
    fn statements_follow_the_table() {
        let [_, c] = columns_of(&[EXAMPLE]).unwrap().try_into().unwrap();
        let c = Table::new(c);
        assert_eq!(
            c.next_page,
            "SELECT x, y, z FROM c WHERE (y, x) > ($1, $2) ORDER BY y, x LIMIT 512"
        );
        assert_eq!(c.insert_one, "INSERT INTO c (x, y, z) VALUES ($1, $2, $3)");
        let row = ["x".into(), 1_i64.into(), Value::Null];
        assert_eq!(c.key_of(&row), [Value::Int(1), Value::Text("x".to_owned())]);
    }

    #[test]
    fn every_migration_can_be_read() {
        let tables = columns_of(MIGRATIONS).expect("known forms only");
        let made: usize =
            MIGRATIONS.iter().map(|migration| migration.sql.matches("CREATE TABLE ").count()).sum();
        assert_eq!(tables.len(), made);
        assert!(made > 20);
    }
}
