-- The unique ids of the users and roles that a trust policy names, by ARN, as when it was set.
ALTER TABLE iam_roles ADD COLUMN trust_principals TEXT NOT NULL DEFAULT '{}';
