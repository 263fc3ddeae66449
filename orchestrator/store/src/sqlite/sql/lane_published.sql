-- Moves the watermark of lane ?1 to ?2 in second ?3. Marks never go back in time, even if the clock does.
BEGIN IMMEDIATE;

UPDATE lanes SET watermark = ?2 WHERE shard = ?1;

INSERT INTO lane_marks (shard, at_s, watermark)
VALUES (?1, max(?3, coalesce((SELECT max(m.at_s) FROM lane_marks m WHERE m.shard = ?1), 0)), ?2)
ON CONFLICT (shard, at_s) DO UPDATE SET watermark = excluded.watermark;

COMMIT;
