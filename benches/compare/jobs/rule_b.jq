# Rule B on streamed MessageEvents, for gojq and jaq. Some exporters write truth values as texts
# or numbers. Times are UTC in one form, so they compare as texts.
def poses:
  tojson | ascii_downcase
  | (contains("help") and contains("desk"))
    or (contains("it") and contains("support"))
    or (contains("working") and contains("home"));

if (.properties.IsExternalThread | tostring | ascii_downcase | . == "true" or . == "1")
  and .properties.Timestamp > "2026-10-21T12:00:00"
  and (.properties.RecipientDetails | poses)
then .poseur = {rules: ["389ead4a-6dfe-47e1-9236-165eb08f1017"]}
else . end
