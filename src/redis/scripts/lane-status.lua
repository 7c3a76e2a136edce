-- How a lane stands, all of it at the same moment.
-- KEYS: books, open, queue, queued, inflight, parked (of the lane)
-- ARGV: how many columns the books have, their names, then the fields of `queue` that are asked for
-- Answers: the columns; recordCount, dataBytes and firstArrivalMs of the open batch; the fields of
-- `queue`; how many batches are queued, in flight and parked; the first queued one with its arrival.
local columnCount = tonumber(ARGV[1])
local columns = redis.call('HMGET', KEYS[1], unpack(ARGV, 2, 1 + columnCount))
local open = redis.call('HMGET', KEYS[2], 'recordCount', 'dataBytes', 'firstArrivalMs')
local queue = redis.call('HMGET', KEYS[3], unpack(ARGV, 2 + columnCount))

-- A batch with a receipt is off the queue, though its claim ends a little later (dequeue.lua).
local inFlightCount = 0
for _, batchId in ipairs(redis.call('HKEYS', KEYS[5])) do
  if redis.call('ZSCORE', KEYS[4], batchId) then inFlightCount = inFlightCount + 1 end
end
local counts = { redis.call('ZCARD', KEYS[4]), inFlightCount, redis.call('SCARD', KEYS[6]) }
return { columns, open, queue, counts, redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES') }
