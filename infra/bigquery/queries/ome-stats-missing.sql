-- OME stats missing: for each origin, when it told figures last, and how many minutes were told since in which it did not.
-- `silentMinutes` without `unansweredMinutes`: nobody asked it, so look at the elected worker, or at the fleet's list.
SELECT
  JSON_VALUE(payload, '$.origin') AS origin,
  MAX(IF(JSON_VALUE(payload, '$.up') = 'true', emittedAt, NULL)) AS lastAnswered,
  COUNTIF(JSON_VALUE(payload, '$.up') = 'false') AS unansweredMinutes,
  TIMESTAMP_DIFF(@until, MAX(emittedAt), MINUTE) AS silentMinutes
FROM streaming.events
WHERE event = 'ome.realtime.stats'
  AND JSON_VALUE(payload, '$.part') = '1'
  AND emittedAt >= @since AND emittedAt < @until
GROUP BY origin
HAVING COUNTIF(JSON_VALUE(payload, '$.up') = 'false') > 0 OR TIMESTAMP_DIFF(@until, MAX(emittedAt), MINUTE) > 2
ORDER BY origin;
