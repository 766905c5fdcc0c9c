-- A B2B order went over 21,474,836.47.
ALTER TABLE orders MODIFY total_cents BIGINT NOT NULL DEFAULT 0;
