-- Key rotation: one row for each rotation, with how many paths the CDN was told to forget. A rotation shows among the
-- failovers with trigger ingest-rotation; one that has no purges, or no cdn.failover, is not finished: look at its deliveries.
SELECT
  JSON_VALUE(rotated.payload, '$.contentId') AS contentId,
  rotated.emittedAt AS rotatedAt,
  JSON_VALUE(rotated.payload, '$.previousKeyValidUntil') AS previousKeyValidUntil,
  COUNT(DISTINCT IF(other.event = 'cdn.failover', other.id, NULL)) AS confirmed,
  COUNT(DISTINCT IF(other.event = 'cdn.purge', other.id, NULL)) AS purges
FROM streaming.events AS rotated
LEFT JOIN streaming.events AS other
  ON JSON_VALUE(other.payload, '$.contentId') = JSON_VALUE(rotated.payload, '$.contentId')
  AND other.emittedAt = rotated.emittedAt
  AND (
    (other.event = 'cdn.failover' AND JSON_VALUE(other.payload, '$.trigger') = 'ingest-rotation')
    OR other.event = 'cdn.purge'
  )
WHERE rotated.event = 'stream.ingest.rotated'
  AND rotated.emittedAt >= @since AND rotated.emittedAt < @until
GROUP BY contentId, rotatedAt, previousKeyValidUntil
ORDER BY rotatedAt DESC, contentId;
