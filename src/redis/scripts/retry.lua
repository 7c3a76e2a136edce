-- The claim's batch is tried again later.
--
-- KEYS: queue, later, inflight, lent, entry:<id>
-- ARGV: batchId, token, failure (JSON), when the batch may be tried again, when any of its lane, whether
--   the lane brakes (0, 1)
-- Answer: 1, also when it is repeated; 0 if the claim is lost or has ended otherwise
-- @include fail
if redis.call('HGET', KEYS[3], ARGV[1]) ~= ARGV[2] then
  local atMs = redis.call('ZSCORE', KEYS[2], ARGV[1])
  local mine = redis.call('HGET', KEYS[5], 'heldBy') == ARGV[2]
  return mine and atMs and tonumber(atMs) == tonumber(ARGV[4]) and 1 or 0
end
fail({ queue = KEYS[1], inflight = KEYS[3], lent = KEYS[4], entry = KEYS[5] }, ARGV[1], ARGV[3])
local claimAtMs = tonumber(redis.call('HGET', KEYS[1], 'claimAtMs') or 0)
if tonumber(ARGV[5]) > claimAtMs then redis.call('HSET', KEYS[1], 'claimAtMs', ARGV[5]) end
if ARGV[6] == '1' then redis.call('HSET', KEYS[1], 'braked', 1) end
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
return 1
