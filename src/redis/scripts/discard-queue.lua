-- Forgets a lane's queue, but for batches whose entries are not among KEYS: those come with further calls.
--
-- KEYS: queue, due, later, inflight, lent, parked, queued, and entry:<id> of some batches
-- ARGV: ids of these batches
-- Answer: 1
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
for index, batchId in ipairs(ARGV) do
  redis.call('ZREM', KEYS[7], batchId)
  redis.call('UNLINK', KEYS[7 + index])
end
return 1
