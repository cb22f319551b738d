-- What the CVE list, EPSS and CISA's catalogue say of flaws; the source's kind says which it is.
CREATE TABLE flaw_records (
    cve TEXT NOT NULL,
    source TEXT NOT NULL REFERENCES advisory_sources (name),
    hash TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (cve, source)
);
CREATE INDEX flaw_records_by_source ON flaw_records (source, cve);
