DROP TABLE stale_projections;
DROP TABLE dead_letters;
