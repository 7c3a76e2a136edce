-- Removes what the catalog keeps of a lane whose stream is deleted, and lets nothing be entered any more.
-- KEYS: gone, then what is removed
-- ARGV: how long the tombstone stands, in seconds
-- Answers 1.

-- Removing comes first: it is allowed also when Redis is full, and so is all that follows it.
redis.call('UNLINK', unpack(KEYS, 2))
redis.call('SET', KEYS[1], 1, 'EX', ARGV[1])
return 1
