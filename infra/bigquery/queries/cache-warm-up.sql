-- Cache warm-up: each purge, and for every region when a probe next found that the content plays there. `warmAfterSeconds`
-- empty: nobody has looked since.
WITH purges AS (
  SELECT JSON_VALUE(payload, '$.contentId') AS contentId, JSON_VALUE(payload, '$.path') AS path, emittedAt AS purgedAt
  FROM streaming.events
  WHERE event = 'cdn.purge' AND emittedAt >= @since AND emittedAt < @until
),
looks AS (
  SELECT
    JSON_VALUE(result, '$.contentId') AS contentId,
    JSON_VALUE(result, '$.region') AS region,
    TIMESTAMP(JSON_VALUE(result, '$.at')) AS seenAt
  FROM streaming.events, UNNEST(JSON_QUERY_ARRAY(payload, '$.results')) AS result
  WHERE event = 'stream.probe.results'
    AND emittedAt >= @since
    AND JSON_VALUE(result, '$.target') = 'primary'
    AND JSON_VALUE(result, '$.verdict') = 'ok'
)
SELECT
  purges.contentId,
  purges.path,
  purges.purgedAt,
  looks.region,
  TIMESTAMP_DIFF(MIN(looks.seenAt), purges.purgedAt, SECOND) AS warmAfterSeconds
FROM purges
LEFT JOIN looks ON looks.contentId = purges.contentId AND looks.seenAt >= purges.purgedAt
GROUP BY purges.contentId, purges.path, purges.purgedAt, looks.region
ORDER BY purges.purgedAt DESC, purges.path, looks.region;
