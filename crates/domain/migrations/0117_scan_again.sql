-- Images that follow the advisories are scanned once more, so that they are found by the names of
-- their binary packages and their findings stand where they can change one by one. Identifiers are
-- unique in the deployment.
INSERT INTO jobs (id, kind, job_key, account_id, payload_version, payload, state, run_at, attempts,
    lease_fence, created_at, updated_at)
SELECT images.id, 'scan-image', images.id || ' ENHANCED', registries.account_id, 1,
    '{"account":"' || registries.account_id || '","image_id":' || images.id
    || ',"scan_type":"ENHANCED"}', 'WAITING', 0, 0, 0, 0, 0
FROM image_scans
JOIN images ON images.id = image_scans.image_id
JOIN repositories ON repositories.id = images.repository_id
JOIN registries ON registries.id = repositories.registry_id
WHERE image_scans.scan_type = 'ENHANCED' AND image_scans.status = 'ACTIVE'
    AND images.status = 'ACTIVE'
ON CONFLICT (kind, job_key) DO NOTHING;
