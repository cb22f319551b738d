-- Whether manifests of the repository may refer to what it does not hold; NULL: as the server says.
ALTER TABLE repositories ADD COLUMN sparse_manifests BIGINT;
