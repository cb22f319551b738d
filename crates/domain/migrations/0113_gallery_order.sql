-- Lists of the gallery walk an index in their order. With everything that the walk looks at in the
-- index, and only the repositories that are shown, a page far from the first reads no rows on its way.
DROP INDEX gallery_repositories_by_pulls;
DROP INDEX gallery_repositories_by_update;
CREATE INDEX gallery_shown_by_pulls ON gallery_repositories (pulls, repository_id, registry_id)
    WHERE tag_count > 0;
CREATE INDEX gallery_shown_by_update ON gallery_repositories (updated_at, repository_id, registry_id)
    WHERE tag_count > 0;
