-- What access records tell beside who did what to what: parameters of the request, elements of the
-- answer, and the rest of a sign-in (JSON). Records from before have none.
ALTER TABLE access_records ADD COLUMN details TEXT;
