-- SPDX-License-Identifier: Apache-2.0
--
-- The tag of packets, CRC-32C (RFC 3720), and what it tells of a datagram. Returns the function first_len.

local PACKET_HEAD = 24
local xor, byte = bit.bxor, string.byte
local T = {}
for column = 0, 7 do
	T[column] = {}
	for value = 0, 255 do
		local crc = column == 0 and value or T[column - 1][value]
		for _ = 1, column == 0 and 8 or 0 do
			crc = crc % 2 == 1 and xor((crc - 1) / 2, 0x82f63b78) % 4294967296 or crc / 2
		end
		T[column][value] = crc
	end
	if column > 0 then
		for value = 0, 255 do
			local crc = T[column][value]
			T[column][value] = xor((crc - crc % 256) / 256, T[0][crc % 256]) % 4294967296
		end
	end
end

-- The state after the bytes first to last of text.
local function crc_of(crc, text, first, last)
	local t0, t1, t2, t3, t4, t5, t6, t7 = T[0], T[1], T[2], T[3], T[4], T[5], T[6], T[7]
	local at = first
	while at + 7 <= last do
		local a, b, c, d, e, f, g, h = byte(text, at, at + 7)
		local low = xor(crc, a + b * 256 + c * 65536 + d * 16777216) % 4294967296
		local i = low % 256
		low = (low - i) / 256
		local j = low % 256
		low = (low - j) / 256
		local k = low % 256
		crc = xor(t7[i], t6[j], t5[k], t4[(low - k) / 256], t3[e], t2[f], t1[g], t0[h]) % 4294967296
		at = at + 8
	end
	for i = at, last do
		local low = crc % 256
		crc = xor((crc - low) / 256, t0[xor(low, byte(text, i)) % 256]) % 4294967296
	end
	return crc
end

local function number_of(text, at)
	local a, b, c, d = byte(text, at, at + 3)
	return a + b * 256 + c * 65536 + d * 16777216
end

--[[ A host that leaves it to its network card to cut one long datagram into packets of one length, or to put received ones
together, shows them in a capture as one. So the length of the first is where its tag fits, at a place where another may
begin; nil: nowhere. ]]
local function first_len(text)
	local tag, crc, done = number_of(text, 5), crc_of(0xffffffff, text:sub(1, 4) .. "\0\0\0\0", 1, 8), 8
	local at = PACKET_HEAD + 3
	while true do
		at = text:find("[\32-\36\40]\0", at)
		local len = at and at - 3 or #text
		crc, done = crc_of(crc, text, done + 1, len), len
		if xor(crc, 0xffffffff) % 4294967296 == tag then
			return len
		elseif not at then
			return nil
		end
		at = at + 1
	end
end

return first_len
