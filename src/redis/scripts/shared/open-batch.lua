-- The open batch of a lane, as `open` holds it.

-- Which life of which server this is. Another than the one that opened a batch may have lost what was
-- last written: the batch as it was then may be delivered already, and its ordinals with it.
local function serverLife()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
end

local TEXTS = { batchId = true, wrappedDataKey = true, serverLife = true }

-- openBatch(openKey): with numbers for what is one, wrappedDataKey '' for none; nil when none is open.
local function openBatch(openKey)
  local fields = redis.call('HGETALL', openKey)
  if #fields == 0 then return nil end
  local open = { wrappedDataKey = '' }
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    open[name] = TEXTS[name] and value or tonumber(value)
  end
  return open
end

-- sealOpen(lane, batch, open, how): how: streamId, lane, sealedAtMs, sealReason, sealedBy.
-- Removing comes first: it is allowed also when Redis is full, and so is all that follows it.
local function sealOpen(lane, batch, open, how)
  redis.call('DEL', lane.open)
  for name, value in pairs(how) do open[name] = value end
  return seal(lane, batch, open)
end
