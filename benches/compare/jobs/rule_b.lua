-- Rule B on streamed MessageEvents, for Fluent Bit. Some exporters write truth values as texts or
-- numbers. Times are UTC in one form, so they compare as texts.
local function text_of(value)
  if type(value) == "string" then return string.lower(value) end
  if type(value) ~= "table" then return "" end
  local texts = {}
  for _, inner in pairs(value) do texts[#texts + 1] = text_of(inner) end
  return table.concat(texts, "\n")
end

local function poses(text)
  local function has(word) return text:find(word, 1, true) end
  return (has("help") and has("desk")) or (has("it") and has("support"))
    or (has("working") and has("home"))
end

function judge(_, timestamp, record)
  local row = record["properties"]
  if type(row) ~= "table" then return 0 end
  local flag = string.lower(tostring(row["IsExternalThread"]))
  local time = row["Timestamp"]
  if (flag ~= "true" and flag ~= "1") or type(time) ~= "string" or time <= "2026-10-21T12:00:00"
    or not poses(text_of(row["RecipientDetails"])) then
    return 0
  end
  record["poseur"] = {rules = {"389ead4a-6dfe-47e1-9236-165eb08f1017"}}
  return 2, timestamp, record
end
