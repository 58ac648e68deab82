# Rule B on streamed MessageEvents, for jq, where changing the case of a text costs more than a regular
# expression; with gojq and jaq it is the other way round. See rule_b.jq.
def poses:
  tojson
  | (test("help"; "i") and test("desk"; "i"))
    or (test("it"; "i") and test("support"; "i"))
    or (test("working"; "i") and test("home"; "i"));

if (.properties.IsExternalThread | tostring | ascii_downcase | . == "true" or . == "1")
  and .properties.Timestamp > "2026-10-21T12:00:00"
  and (.properties.RecipientDetails | poses)
then .poseur = {rules: ["389ead4a-6dfe-47e1-9236-165eb08f1017"]}
else . end
