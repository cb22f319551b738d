//! Schemas that tests use one after another.
//!
//! Making one costs a quarter of a second, since the catalog learns of a thousand columns; emptying
//! one costs a hundredth of that. What a test changed in the tables themselves is never passed on:
//! such a schema is left behind.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_postgres::Client;
use tonnage_domain::metadata::{Metadata, MetadataError, Mode, Transaction};

use super::{connected, empty_schema_name};
use crate::postgres::{OpenError, PostgresMetadata, PostgresOptions, PostgresUrl};

/// What nobody uses at this moment.
static IDLE: Mutex<Vec<Made>> = Mutex::new(Vec::new());

/// How often a schema is used: rows that were deleted slow down whoever comes later.
const USES: u32 = 12;

/// How often, and after which pause, it is looked whether the connections of the last test are gone.
const LOOKS: u32 = 2_000;
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Ends the connections of a schema and tells how many there still are.
const END_CONNECTIONS: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
     WHERE application_name = $1";

/// Keeps aside what the migrations themselves have written.
const KEEP_FIRST_ROWS: &str = "DO $do$ DECLARE t record; any_row bool; BEGIN
    CREATE SCHEMA {schema}_first;
    FOR t IN SELECT relname FROM pg_class
             WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM {schema}.%I)', t.relname) INTO any_row;
        IF any_row THEN
            EXECUTE format('CREATE TABLE {schema}_first.%I AS TABLE {schema}.%I',
                           t.relname, t.relname);
        END IF;
    END LOOP;
END $do$";

/// Takes every row away, puts the first ones back, and counts from the start again. Neither
/// references nor triggers are looked at meanwhile.
const EMPTY: &str = "DO $do$ DECLARE t record; any_row bool; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR t IN SELECT relname FROM pg_class
             WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM {schema}.%I)', t.relname) INTO any_row;
        IF any_row THEN
            EXECUTE format('DELETE FROM {schema}.%I', t.relname);
        END IF;
    END LOOP;
    FOR t IN SELECT relname FROM pg_class
             WHERE relnamespace = '{schema}_first'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('INSERT INTO {schema}.%I OVERRIDING SYSTEM VALUE TABLE {schema}_first.%I',
                       t.relname, t.relname);
    END LOOP;
    FOR t IN SELECT relname FROM pg_class
             WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'S' LOOP
        EXECUTE format('ALTER SEQUENCE {schema}.%I RESTART', t.relname);
    END LOOP;
END $do$";

/// What the catalog says of a schema's tables, columns, constraints and triggers. A sequence is
/// altered by emptying.
const SHAPE: &str = "SELECT coalesce(md5(string_agg(line, ',' ORDER BY line)), '') FROM (
    SELECT c.oid || ':' || c.xmin || ':' || (SELECT string_agg(attnum || ':' || a.xmin, ',')
        FROM (SELECT attnum, xmin FROM pg_attribute WHERE attrelid = c.oid ORDER BY attnum) a)
        AS line
    FROM pg_class c WHERE relnamespace = {oid} AND relkind <> 'S'
    UNION ALL
    SELECT oid || ':' || xmin FROM pg_constraint WHERE connamespace = {oid}
    UNION ALL
    SELECT t.oid || ':' || t.xmin FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
    WHERE relnamespace = {oid}) shape";

/// A schema with the domain's tables, as they were made.
struct Made {
    name: String,
    shape: String,
    uses: u32,
}

impl Made {
    async fn new(server: &PostgresUrl) -> Result<Self, OpenError> {
        let name = empty_schema_name(server).await;
        let url = server.in_schema(&name);
        PostgresMetadata::open(&url, PostgresOptions::default()).await?.close();
        let client = connected(server).await;
        client.batch_execute(&KEEP_FIRST_ROWS.replace("{schema}", &name)).await.expect("copies");
        let shape = shape(&client, &name).await;
        Ok(Self { name, shape, uses: 1 })
    }

    /// Makes it as it was, or tells that it cannot be.
    async fn emptied(mut self, server: &PostgresUrl) -> Option<Self> {
        let client = connected(server).await;
        for _ in 0..LOOKS {
            let rows = client.query(END_CONNECTIONS, &[&self.name]).await.expect("an answer");
            if rows[0].get::<_, i64>(0) == 0 {
                if shape(&client, &self.name).await != self.shape {
                    return None;
                }
                let statement = EMPTY.replace("{schema}", &self.name);
                client.batch_execute(&statement).await.expect("an empty schema");
                self.uses += 1;
                return Some(self);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        None
    }
}

async fn shape(client: &Client, name: &str) -> String {
    let oid = client.query_one("SELECT $1::text::regnamespace::oid", &[&name]).await;
    let oid: u32 = oid.expect("it was made").get(0);
    let shape = SHAPE.replace("{oid}", &oid.to_string());
    client.query_one(&shape, &[]).await.expect("an answer").get(0)
}

/// An empty database with the domain's schema, which goes to the next test when it is dropped.
pub struct Borrowed {
    made: Option<Made>,
    url: PostgresUrl,
}

impl Borrowed {
    pub(super) async fn from(server: &PostgresUrl) -> Result<Arc<Self>, OpenError> {
        let mut made = None;
        while made.is_none() {
            let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
            made = match idle {
                Some(idle) => idle.emptied(server).await,
                None => Some(Made::new(server).await?),
            };
        }
        let url = made.as_ref().map(|made| server.in_schema(&made.name)).expect("it was made");
        Ok(Arc::new(Self { made, url }))
    }

    /// Opens it, as often as there are to be processes.
    ///
    /// # Errors
    /// As [`PostgresMetadata::open`].
    pub async fn open(
        self: &Arc<Self>,
        options: PostgresOptions,
    ) -> Result<BorrowedMetadata, OpenError> {
        let metadata = PostgresMetadata::open(&self.url, options).await?;
        Ok(BorrowedMetadata { metadata, _borrowed: Arc::clone(self) })
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let again = self.made.take().filter(|made| made.uses < USES);
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).extend(again);
    }
}

/// The metadata in a borrowed database.
pub struct BorrowedMetadata {
    // Before the lease: it is dropped first.
    metadata: PostgresMetadata,
    _borrowed: Arc<Borrowed>,
}

impl Metadata for BorrowedMetadata {
    fn begin(&self, mode: Mode) -> BoxFuture<'_, Result<Box<dyn Transaction>, MetadataError>> {
        self.metadata.begin(mode)
    }
}

impl Drop for BorrowedMetadata {
    fn drop(&mut self) {
        self.metadata.close();
    }
}
