-- SPDX-License-Identifier: Apache-2.0
--
-- A dissector for Wireshark and tshark of weft's packets over UDP, which stand in docs/wire.md. The parts are in the folder
-- weft beside this file. Nothing of a packet is read before it is known to be there.
--
--     tshark -X lua_script:weft.lua -r FILE

-- The value of a part, which is given what else it needs.
local function part(name, ...)
	local here = __DIR__ ~= "" and __DIR__ .. "/" or ""
	return assert(loadfile(here .. "weft/" .. name .. ".lua"))(...)
end

local PACKET_HEAD = 24
local names, first_len = part("names"), part("crc32c")
local messages = part("messages", names)
local packet = part("packets", names, messages, part("frames", names, messages))

local weft = Proto("weft", "Weft")
weft.prefs.ports = Pref.range("UDP ports", "", "Packets to or from these ports are weft's, whatever they look like. "
	.. "Others are recognised by their tag", 65535)
for _, field in pairs(names.fields) do
	table.insert(weft.fields, field)
end
weft.experts = {names.experts.malformed, names.experts.tag, names.experts.version, names.experts.cut}

-- How the tag fits the packet in text: 0 bad, 1 good, 2 not all of it is there.
local function tag_status(text, reported)
	if #text < reported then
		return 2
	end
	return #text >= PACKET_HEAD and first_len(text) == #text and 1 or 0
end

-- All packets of a datagram, of which the capture has text and the first is len long; nil: that is not known.
local function packets(tvb, pinfo, root, text, len)
	local reported, count, first, last = tvb:reported_len(), 0, nil, nil
	local step = len or reported
	pinfo.cols.protocol = "Weft"
	for at = 0, #text - 1, step do
		local here, said = math.min(step, #text - at), math.min(step, reported - at)
		local tag = at == 0 and len and 1 or tag_status(text:sub(at + 1, at + here), said)
		last = packet(weft, root, tvb(at, here):tvb(), said, tag)
		first = first or last
		count = count + 1
	end
	pinfo.cols.info = count > 1 and string.format("%s ... %s (%u packets)", first, last, count) or first
	return #text
end

local function text_of(tvb)
	return tvb:len() > 0 and tvb():raw() or ""
end

-- Of a port that is weft's, or of a conversation that was found to be.
function weft.dissector(tvb, pinfo, root)
	local text = text_of(tvb)
	return packets(tvb, pinfo, root, text, #text >= PACKET_HEAD and first_len(text) or nil)
end

-- Whether a datagram is weft's beyond doubt. Of one of which the capture has only some, a handshake's head says it.
local function recognise(tvb, pinfo, root)
	local text = text_of(tvb)
	if #text < PACKET_HEAD or not text:find("^..[\32-\36\40]\0") then
		return false
	end
	local len, whole = first_len(text), #text == tvb:reported_len()
	if not len and (whole or not text:find("^\0\0[\33-\36]\0....\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")) then
		return false
	end
	pinfo.conversation = weft
	packets(tvb, pinfo, root, text, len)
	return true
end

local by_port, ports = DissectorTable.get("udp.port"), ""
function weft.prefs_changed()
	if ports == weft.prefs.ports then
		return
	elseif ports ~= "" then
		by_port:remove(ports, weft)
	end
	ports = weft.prefs.ports
	if ports ~= "" then
		by_port:add(ports, weft)
	end
end
by_port:add_for_decode_as(weft)
weft:register_heuristic("udp", recognise)
