-- From which networks public repositories are pulled, by day: the first 24 bits of an IPv4 address, the
-- first 48 of an IPv6 address, and nothing for those past the networks that are told apart. Rows are
-- removed after 90 days.
CREATE TABLE public_pull_networks (
    repository_id BIGINT NOT NULL,
    day BIGINT NOT NULL,
    network TEXT NOT NULL,
    pulls BIGINT NOT NULL,
    PRIMARY KEY (repository_id, day, network)
);
CREATE INDEX public_pull_networks_by_day ON public_pull_networks (day);
