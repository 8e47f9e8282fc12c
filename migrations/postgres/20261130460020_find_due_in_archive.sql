-- Where a policy purges, archived messages are due until they are purged. Their tombstones stay, and need not be read every day.
CREATE INDEX idx_messages_archive_unpurged ON read.messages_archive (channel_id, created_at) WHERE purged_at IS NULL;
