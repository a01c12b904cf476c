DROP TABLE fills;
DROP TABLE orders;
