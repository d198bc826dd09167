-- Who deleted a job, for those who look for it in the list of deleted ones; null of those that were deleted before.
ALTER TABLE jobs ADD COLUMN deleted_by text;
