-- Why an operation was denied; nothing for one that changed something.
ALTER TABLE access_records ADD COLUMN denial TEXT;
