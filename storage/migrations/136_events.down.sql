DROP TABLE snapshots;
DROP TABLE head;
DROP TABLE events;
