-- A B2B order went over 21,474,836.47.
ALTER TABLE orders ALTER COLUMN total_cents TYPE bigint;
