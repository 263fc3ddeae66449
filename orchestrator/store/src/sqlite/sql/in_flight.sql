-- Sagas that are unfinished or parked, by definition and version.
SELECT definition, version, count(*) FROM sagas WHERE status BETWEEN 0 AND 3
GROUP BY definition, version
ORDER BY definition, version;
