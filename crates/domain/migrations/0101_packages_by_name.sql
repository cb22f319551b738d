-- Who looks for the images that have a package knows its name, and maybe not its ecosystem.
CREATE INDEX package_versions_by_name ON package_versions (name, id);
