//! From the portable dialect of the domain to an engine's.
//!
//! One small lexer that knows strings, quoted names and comments, so that nothing inside them is
//! touched. For SQLite it replaces
//! - `$n` by `?n` (SQLite numbers `$n` by first appearance, `?n` by its number),
//! - `IN_LIST($n)` by `IN (SELECT value FROM json_each(?n))`,
//! - the type names `BIGINT` and `BYTEA` by `INTEGER` and `BLOB`,
//! - and ends each `CREATE TABLE` of a migration with `STRICT`.
//!
//! For PostgreSQL it replaces
//! - `IN_LIST($n)` by `= ANY($n)` and `NOT IN_LIST($n)` by `<> ALL($n)`,
//! - and `TEXT` in migrations by `TEXT COLLATE "C"`, so that text sorts by its bytes as in SQLite.

/// Whose dialect to translate to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A statement as the engine takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    /// The numbers of the parameters that stand in `IN_LIST`.
    pub(crate) lists: Vec<usize>,
}

/// Why a statement could not be translated: a mistake in our own SQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DialectError {
    #[error("a string, quoted name or comment is not closed")]
    Unclosed,
    #[error("IN_LIST is not followed by a parameter in parentheses")]
    ListWithoutParameter,
    #[error("a parameter number is not between 1 and 999")]
    ParameterNumber,
}

/// Translates one statement.
pub(crate) fn statement(engine: Engine, sql: &str) -> Result<Statement, DialectError> {
    let mut translated =
        Statement { sql: String::with_capacity(sql.len() + 64), lists: Vec::new() };
    let mut tokens = Tokens { rest: sql };
    while let Some(token) = tokens.next()? {
        match token {
            Token::Parameter(number) => push_parameter(engine, &mut translated.sql, number),
            Token::Word("IN_LIST") => {
                let number = tokens.list_parameter()?;
                push_list(engine, &mut translated.sql, number);
                translated.lists.push(number);
            }
            Token::Word(word) => translated.sql.push_str(type_name(engine, word)),
            Token::Semicolon => translated.sql.push(';'),
            Token::Other(text) | Token::Comment(text) => translated.sql.push_str(text),
        }
    }
    Ok(translated)
}

/// Translates the statements of a migration, in order; comments are left out.
pub(crate) fn migration(engine: Engine, sql: &str) -> Result<Vec<String>, DialectError> {
    let mut statements = Vec::new();
    let mut current = String::new();
    let mut words: Vec<&str> = Vec::new();
    let mut tokens = Tokens { rest: sql };
    loop {
        let token = tokens.next()?;
        match token {
            None | Some(Token::Semicolon) => {
                let mut text = current.trim().to_owned();
                if !text.is_empty() {
                    if engine == Engine::Sqlite
                        && matches!(words.as_slice(), ["CREATE", "TABLE", ..])
                    {
                        text.push_str(" STRICT");
                    }
                    statements.push(text);
                }
                current.clear();
                words.clear();
                if token.is_none() {
                    return Ok(statements);
                }
            }
            Some(Token::Parameter(_)) => return Err(DialectError::ParameterNumber),
            Some(Token::Comment(_)) => current.push(' '),
            Some(Token::Other(text)) => current.push_str(text),
            Some(Token::Word(word)) => {
                if words.len() < 2 {
                    words.push(word);
                }
                match (engine, word) {
                    (Engine::Postgres, "TEXT") => current.push_str("TEXT COLLATE \"C\""),
                    _ => current.push_str(type_name(engine, word)),
                }
            }
        }
    }
}

fn type_name(engine: Engine, word: &str) -> &str {
    match (engine, word) {
        (Engine::Sqlite, "BIGINT") => "INTEGER",
        (Engine::Sqlite, "BYTEA") => "BLOB",
        (_, other) => other,
    }
}

fn push_parameter(engine: Engine, sql: &mut String, number: usize) {
    sql.push(match engine {
        Engine::Sqlite => '?',
        Engine::Postgres => '$',
    });
    sql.push_str(&number.to_string());
}

fn push_list(engine: Engine, sql: &mut String, number: usize) {
    let (before, after) = match engine {
        Engine::Sqlite => ("IN (SELECT value FROM json_each(", "))"),
        Engine::Postgres => match sql.trim_end().strip_suffix("NOT") {
            Some(rest) if !rest.ends_with(is_word) => {
                let length = rest.len();
                sql.truncate(length);
                ("<> ALL(", ")")
            }
            _ => ("= ANY(", ")"),
        },
    };
    sql.push_str(before);
    push_parameter(engine, sql, number);
    sql.push_str(after);
}

enum Token<'a> {
    Parameter(usize),
    Word(&'a str),
    Semicolon,
    Comment(&'a str),
    Other(&'a str),
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn next(&mut self) -> Result<Option<Token<'a>>, DialectError> {
        let rest = self.rest;
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let token = match first {
            ';' => {
                self.take(1);
                Token::Semicolon
            }
            '\'' | '"' => Token::Other(self.take_quoted(first)?),
            '-' if rest.starts_with("--") => {
                let length = rest.find('\n').unwrap_or(rest.len());
                Token::Comment(self.take(length))
            }
            '/' if rest.starts_with("/*") => {
                let length = rest.find("*/").ok_or(DialectError::Unclosed)? + 2;
                Token::Comment(self.take(length))
            }
            '$' => {
                self.take(1);
                Token::Parameter(self.take_number()?)
            }
            _ if is_word(first) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                Token::Word(self.take(length))
            }
            _ => Token::Other(self.take(first.len_utf8())),
        };
        Ok(Some(token))
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// A doubled quote inside is two quoted pieces side by side, which changes nothing here.
    fn take_quoted(&mut self, quote: char) -> Result<&'a str, DialectError> {
        let inside = self.rest.get(1..).unwrap_or_default();
        let length = inside.find(quote).ok_or(DialectError::Unclosed)?;
        Ok(self.take(length + 2))
    }

    fn take_number(&mut self) -> Result<usize, DialectError> {
        let length = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        match self.take(length).parse() {
            Ok(number @ 1..=999) => Ok(number),
            _ => Err(DialectError::ParameterNumber),
        }
    }

    fn list_parameter(&mut self) -> Result<usize, DialectError> {
        for expected in ["(", "$"] {
            self.rest = self
                .rest
                .trim_start()
                .strip_prefix(expected)
                .ok_or(DialectError::ListWithoutParameter)?;
        }
        let number = self.take_number()?;
        self.rest =
            self.rest.trim_start().strip_prefix(')').ok_or(DialectError::ListWithoutParameter)?;
        Ok(number)
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, expected: &str, lists: &[usize]) {
        let translated = statement(Engine::Sqlite, sql).unwrap();
        assert_eq!(translated.sql, expected);
        assert_eq!(translated.lists, lists);
    }

    #[test]
    fn parameters_keep_their_numbers() {
        check("SELECT $2, $1", "SELECT ?2, ?1", &[]);
        check("SELECT $12||$1", "SELECT ?12||?1", &[]);
        check("SELECT CAST($1 AS BIGINT)", "SELECT CAST(?1 AS INTEGER)", &[]);
        check("SELECT CAST($1 AS BYTEA)", "SELECT CAST(?1 AS BLOB)", &[]);
    }

    #[test]
    fn lists_become_json() {
        check("a IN_LIST($2)", "a IN (SELECT value FROM json_each(?2))", &[2]);
        check(
            "a NOT IN_LIST( $1 ) AND b",
            "a NOT IN (SELECT value FROM json_each(?1)) AND b",
            &[1],
        );
        check("MY_IN_LIST($1)", "MY_IN_LIST(?1)", &[]);
    }

    #[test]
    fn strings_names_and_comments_are_left_alone() {
        for sql in [
            "SELECT '$1 IN_LIST($1) BIGINT'",
            "SELECT 'it''s $1'",
            "SELECT \"BYTEA\"",
            "SELECT 1 -- $1; BIGINT\n",
            "SELECT /* $1 ' */ 1",
            "SELECT 'ü' || 'ÿ'",
        ] {
            check(sql, sql, &[]);
        }
    }

    #[test]
    fn mistakes_are_refused() {
        for (sql, expected) in [
            ("SELECT '", DialectError::Unclosed),
            ("SELECT \"a", DialectError::Unclosed),
            ("SELECT /* ", DialectError::Unclosed),
            ("a IN_LIST", DialectError::ListWithoutParameter),
            ("a IN_LIST(b)", DialectError::ListWithoutParameter),
            ("a IN_LIST($1, $2)", DialectError::ListWithoutParameter),
            ("a IN_LIST($)", DialectError::ParameterNumber),
            ("SELECT $", DialectError::ParameterNumber),
            ("SELECT $0", DialectError::ParameterNumber),
            ("SELECT $1000", DialectError::ParameterNumber),
        ] {
            for engine in [Engine::Sqlite, Engine::Postgres] {
                assert_eq!(statement(engine, sql), Err(expected.clone()), "{sql}");
            }
        }
    }

    #[test]
    fn postgres_takes_arrays_and_its_own_types() {
        for (sql, expected) in [
            ("SELECT $2, $1", "SELECT $2, $1"),
            ("SELECT CAST($1 AS TEXT)", "SELECT CAST($1 AS TEXT)"),
            ("a IN_LIST($2)", "a = ANY($2)"),
            ("a NOT IN_LIST( $1 ) AND b", "a <> ALL($1) AND b"),
            ("a_NOT IN_LIST($1)", "a_NOT = ANY($1)"),
            ("SELECT '$1 IN_LIST($1) BIGINT'", "SELECT '$1 IN_LIST($1) BIGINT'"),
        ] {
            assert_eq!(statement(Engine::Postgres, sql).unwrap().sql, expected);
        }
        let sql = "CREATE TABLE a (x BIGINT, y TEXT NOT NULL, z BYTEA DEFAULT 'TEXT');";
        assert_eq!(
            migration(Engine::Postgres, sql).unwrap(),
            [r#"CREATE TABLE a (x BIGINT, y TEXT COLLATE "C" NOT NULL, z BYTEA DEFAULT 'TEXT')"#],
        );
    }

    #[test]
    fn migrations_are_split_on_statement_boundaries() {
        let sql = "-- A comment; with a semicolon and an ' apostrophe\n\
            CREATE TABLE a (x BIGINT CHECK (x <> 1), y BYTEA DEFAULT ';');\n\n\
            CREATE INDEX i ON a (x); /* last; */ INSERT INTO a VALUES (';BIGINT', 1);";
        assert_eq!(
            migration(Engine::Sqlite, sql).unwrap(),
            [
                "CREATE TABLE a (x INTEGER CHECK (x <> 1), y BLOB DEFAULT ';') STRICT",
                "CREATE INDEX i ON a (x)",
                "INSERT INTO a VALUES (';BIGINT', 1)",
            ]
        );
        assert_eq!(migration(Engine::Sqlite, " \n-- nothing\n;;").unwrap(), Vec::<String>::new());
        assert_eq!(migration(Engine::Sqlite, "SELECT $1"), Err(DialectError::ParameterNumber));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(sql in "[ -~ü\n]{0,80}") {
            for engine in [Engine::Sqlite, Engine::Postgres] {
                let _ = statement(engine, &sql);
                let _ = migration(engine, &sql);
            }
        }

        #[test]
        fn text_without_anything_to_replace_is_unchanged(sql in "[a-z0-9 =<>(),.*]{0,80}") {
            for engine in [Engine::Sqlite, Engine::Postgres] {
                proptest::prop_assert_eq!(&statement(engine, &sql).unwrap().sql, &sql);
            }
        }
    }
}
