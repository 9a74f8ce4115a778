-- SPDX-License-Identifier: MIT
-- table.sql: a table of pseudo-random rows, an index over it, and questions asked of both.
-- @SEED@ is replaced by the seed.
CREATE TABLE item(id INTEGER PRIMARY KEY, code INTEGER, name TEXT, price REAL);
WITH RECURSIVE step(i, x) AS (
    SELECT 1, @SEED@
    UNION ALL
    SELECT i + 1, (x * 1103515245 + 12345) % 2147483648 FROM step WHERE i < 60000
)
INSERT INTO item SELECT i, x, printf('name-%x-%d', x, i % 97), x / 1000.0 FROM step;
CREATE INDEX item_name ON item(name);
CREATE INDEX item_code ON item(code, price);
SELECT count(*), sum(code), min(name), max(name) FROM item;
SELECT substr(name, 1, 7), count(*), round(avg(price), 3)
    FROM item GROUP BY 1 ORDER BY 2, 1 LIMIT 20;
DELETE FROM item WHERE id % 3 = 0;
SELECT count(*), group_concat(id) FROM (SELECT id FROM item ORDER BY name LIMIT 500);
