DROP VIEW outcomes;
DROP TABLE signals;
