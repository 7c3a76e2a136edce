-- changed(revisionKey, channel): counts a change of the streams, and tells whoever listens.
local function changed(revisionKey, channel)
  redis.call('PUBLISH', channel, redis.call('INCR', revisionKey))
end
