-- One that was raised again meanwhile is told again.
DELETE FROM notices WHERE kind = $1 AND about = $2 AND raised = $3
