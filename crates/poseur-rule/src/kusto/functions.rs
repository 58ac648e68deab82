//! Kusto's scalar functions: which are evaluated, with what arguments, and which are only known by name.
//!
//! Names and arguments are those of Kusto's documentation ("Scalar functions") and of Microsoft's parser,
//! the package `@kusto/language-service-next`.

use crate::expression::{ColumnType, Function};

/// A function that is evaluated.
#[derive(Debug)]
pub(super) struct Signature {
    pub(super) name: &'static str,
    pub(super) function: Function,
    /// Least and most arguments.
    pub(super) arguments: (usize, usize),
    /// Type of the value; `None`: the first argument's.
    pub(super) gives: Option<ColumnType>,
    /// Type that the first argument must have, where it says something about a column.
    pub(super) wants: Option<ColumnType>,
}

const fn signature(
    name: &'static str,
    function: Function,
    least: usize,
    most: usize,
    gives: Option<ColumnType>,
    wants: Option<ColumnType>,
) -> Signature {
    Signature {
        name,
        function,
        arguments: (least, most),
        gives,
        wants,
    }
}

/// Sorted by name.
#[rustfmt::skip]
const EVALUATED: [Signature; 53] = [
    signature("abs", Function::Abs, 1, 1, None, Some(ColumnType::Real)),
    signature("array_index_of", Function::ArrayIndexOf, 2, 2, Some(ColumnType::Long), Some(ColumnType::Dynamic)),
    signature("array_length", Function::ArrayLength, 1, 1, Some(ColumnType::Long), Some(ColumnType::Dynamic)),
    signature("arraylength", Function::ArrayLength, 1, 1, Some(ColumnType::Long), Some(ColumnType::Dynamic)),
    signature("bag_has_key", Function::BagHasKey, 2, 2, Some(ColumnType::Bool), Some(ColumnType::Dynamic)),
    signature("bag_keys", Function::BagKeys, 1, 1, Some(ColumnType::Dynamic), Some(ColumnType::Dynamic)),
    signature("base64_decode_tostring", Function::Base64Decode, 1, 1, Some(ColumnType::Text), None),
    signature("base64_decodestring", Function::Base64Decode, 1, 1, Some(ColumnType::Text), None),
    signature("bin", Function::Bin, 2, 2, None, None),
    signature("countof", Function::CountOf, 2, 3, Some(ColumnType::Long), None),
    signature("dayofweek", Function::DayOfWeek, 1, 1, Some(ColumnType::TimeSpan), Some(ColumnType::DateTime)),
    signature("extract", Function::Extract, 3, 3, Some(ColumnType::Text), None),
    signature("floor", Function::Bin, 2, 2, None, None),
    signature("hourofday", Function::HourOfDay, 1, 1, Some(ColumnType::Long), Some(ColumnType::DateTime)),
    signature("indexof", Function::IndexOf, 2, 2, Some(ColumnType::Long), None),
    signature("ipv4_is_in_range", Function::Ipv4IsInRange, 2, 2, Some(ColumnType::Bool), None),
    signature("ipv4_is_match", Function::Ipv4IsMatch, 2, 3, Some(ColumnType::Bool), None),
    signature("ipv4_is_private", Function::Ipv4IsPrivate, 1, 1, Some(ColumnType::Bool), None),
    signature("pack_array", Function::PackArray, 1, usize::MAX, Some(ColumnType::Dynamic), None),
    signature("parse_json", Function::ParseJson, 1, 1, Some(ColumnType::Dynamic), None),
    signature("parse_path", Function::ParsePath, 1, 1, Some(ColumnType::Dynamic), None),
    signature("parse_url", Function::ParseUrl, 1, 1, Some(ColumnType::Dynamic), None),
    signature("parsejson", Function::ParseJson, 1, 1, Some(ColumnType::Dynamic), None),
    signature("parseurl", Function::ParseUrl, 1, 1, Some(ColumnType::Dynamic), None),
    signature("replace_regex", Function::ReplaceRegex, 3, 3, Some(ColumnType::Text), None),
    signature("replace_string", Function::ReplaceString, 3, 3, Some(ColumnType::Text), None),
    signature("reverse", Function::Reverse, 1, 1, Some(ColumnType::Text), None),
    signature("set_has_element", Function::SetHasElement, 2, 2, Some(ColumnType::Bool), Some(ColumnType::Dynamic)),
    signature("split", Function::Split, 2, 3, Some(ColumnType::Dynamic), None),
    signature("startofday", Function::StartOfDay, 1, 1, Some(ColumnType::DateTime), Some(ColumnType::DateTime)),
    signature("strcat", Function::StrCat, 1, 64, Some(ColumnType::Text), None),
    signature("strcat_delim", Function::StrCatDelim, 2, 64, Some(ColumnType::Text), None),
    signature("strlen", Function::StrLen, 1, 1, Some(ColumnType::Long), None),
    signature("substring", Function::Substring, 2, 3, Some(ColumnType::Text), None),
    signature("tobool", Function::ToBool, 1, 1, Some(ColumnType::Bool), None),
    signature("toboolean", Function::ToBool, 1, 1, Some(ColumnType::Bool), None),
    signature("todatetime", Function::ToDateTime, 1, 1, Some(ColumnType::DateTime), None),
    signature("todecimal", Function::ToReal, 1, 1, Some(ColumnType::Real), None),
    signature("todouble", Function::ToReal, 1, 1, Some(ColumnType::Real), None),
    signature("todynamic", Function::ParseJson, 1, 1, Some(ColumnType::Dynamic), None),
    signature("toint", Function::ToLong, 1, 1, Some(ColumnType::Long), None),
    signature("tolong", Function::ToLong, 1, 1, Some(ColumnType::Long), None),
    signature("tolower", Function::ToLower, 1, 1, Some(ColumnType::Text), None),
    signature("toobject", Function::ParseJson, 1, 1, Some(ColumnType::Dynamic), None),
    signature("toreal", Function::ToReal, 1, 1, Some(ColumnType::Real), None),
    signature("tostring", Function::ToText, 1, 1, Some(ColumnType::Text), None),
    signature("totime", Function::ToTimeSpan, 1, 1, Some(ColumnType::TimeSpan), None),
    signature("totimespan", Function::ToTimeSpan, 1, 1, Some(ColumnType::TimeSpan), None),
    signature("toupper", Function::ToUpper, 1, 1, Some(ColumnType::Text), None),
    signature("trim", Function::Trim, 2, 2, Some(ColumnType::Text), None),
    signature("trim_end", Function::TrimEnd, 2, 2, Some(ColumnType::Text), None),
    signature("trim_start", Function::TrimStart, 2, 2, Some(ColumnType::Text), None),
    signature("url_decode", Function::UrlDecode, 1, 1, Some(ColumnType::Text), None),
];

/// Functions about several records.
const ACROSS: [&str; 8] = [
    "next",
    "prev",
    "row_cumsum",
    "row_number",
    "row_rank",
    "row_rank_dense",
    "row_rank_min",
    "row_window_session",
];

/// Functions of Kusto that are not evaluated.
const KNOWN: &str = "acos array_iff array_iif array_reverse array_rotate_left array_rotate_right array_shift_left \
array_shift_right array_slice array_sort_asc array_sort_desc array_split array_strcat array_sum asin \
atan atan2 bag_merge bag_pack bag_pack_columns bag_remove_keys bag_set_key bag_zip base64_decode_toarray \
base64_decode_toguid base64_encode_fromarray base64_encode_fromguid base64_encode_tostring \
base64_encodestring beta_cdf beta_inv beta_pdf bin_at bin_auto binary_and binary_not binary_or \
binary_shift_left binary_shift_right binary_xor bitset_count_ones ceiling column_names_of convert_angle \
convert_energy convert_force convert_length convert_mass convert_speed convert_temperature \
convert_volume cos cot current_cluster_endpoint current_cursor current_database current_node_id \
current_principal current_principal_details current_principal_is_member_of cursor_after \
cursor_before_or_at cursor_current datepart datetime_add datetime_diff datetime_list_timezones \
datetime_local_to_utc datetime_part datetime_utc_to_local dayofmonth dayofyear dcount_hll degrees \
dynamic_to_json endofday endofmonth endofweek endofyear erf erfc estimate_data_size exp exp10 exp2 \
extent_id extent_tags extentid extract_all extract_json extractall extractjson format_bytes \
format_datetime format_ipv4 format_ipv4_mask format_timespan gamma geo_angle geo_azimuth \
geo_closest_point_on_line geo_closest_point_on_polygon geo_distance_2points geo_distance_point_to_line \
geo_distance_point_to_polygon geo_from_wkt geo_geohash_neighbors geo_geohash_to_central_point \
geo_geohash_to_polygon geo_h3cell_children geo_h3cell_level geo_h3cell_neighbors geo_h3cell_parent \
geo_h3cell_rings geo_h3cell_to_central_point geo_h3cell_to_polygon geo_info_from_ip_address \
geo_intersection_2lines geo_intersection_2polygons geo_intersection_line_with_polygon \
geo_intersects_2lines geo_intersects_2polygons geo_intersects_line_with_polygon geo_line_buffer \
geo_line_centroid geo_line_densify geo_line_interpolate_point geo_line_length geo_line_locate_point \
geo_line_simplify geo_line_to_s2cells geo_point_buffer geo_point_in_circle geo_point_in_polygon \
geo_point_to_geohash geo_point_to_h3cell geo_point_to_s2cell geo_polygon_area geo_polygon_buffer \
geo_polygon_centroid geo_polygon_densify geo_polygon_perimeter geo_polygon_simplify \
geo_polygon_to_h3cells geo_polygon_to_s2cells geo_s2cell_neighbors geo_s2cell_to_central_point \
geo_s2cell_to_polygon geo_simplify_polygons_array geo_union_lines_array geo_union_polygons_array \
getmonth gettype getyear gzip_compress_to_base64_string gzip_decompress_from_base64_string has_any_index \
has_any_ipv4 has_any_ipv4_prefix has_ipv4 has_ipv4_prefix hash hash_combine hash_many hash_md5 hash_sha1 \
hash_sha256 hash_xxhash64 hll_isvalid hll_merge indexof_regex ingestion_time ipv4_compare \
ipv4_netmask_suffix ipv4_range_to_cidr_list ipv6_compare ipv6_is_in_any_range ipv6_is_in_range \
ipv6_is_match isascii iscolumnexists isfinite isinf isnan isutf8 jaccard_index log log10 log2 loggamma \
make_datetime make_string make_timespan max_of merge_tdigest min_of monthofyear new_guid nulls_last pack \
pack_all pack_dictionary parse_command_line parse_csv parse_ipv4 parse_ipv4_mask parse_ipv6 \
parse_ipv6_mask parse_urlquery parse_user_agent parse_version parse_xml parseurlquery percentile_tdigest \
percentiles_array_tdigest percentrank_tdigest pi pow punycode_domain_from_string \
punycode_domain_to_string punycode_from_string punycode_to_string radians rand rank_tdigest regex_quote \
repeat replace_strings round row_id rowstore_ordinal_range series_abs series_acos series_add series_asin \
series_atan series_ceiling series_cos series_cosine_similarity series_decompose \
series_decompose_anomalies series_decompose_forecast series_divide series_dot_product series_equals \
series_exp series_fft series_fill_backward series_fill_const series_fill_forward series_fill_linear \
series_fir series_fit_2lines series_fit_2lines_dynamic series_fit_line series_fit_line_dynamic \
series_fit_poly series_floor series_greater series_greater_equals series_ifft series_iir series_less \
series_less_equals series_log series_magnitude series_multiply series_not_equals series_outliers \
series_pearson_correlation series_periods_detect series_periods_validate series_pow series_product \
series_seasonal series_sign series_sin series_stats series_stats_dynamic series_subtract series_sum \
series_tan set_difference set_equals set_intersect sign sin sqrt startofmonth startofweek startofyear \
strcat_array strcmp string_size strrep tan tdigest_isvalid tdigest_merge to_utf8 toguid tohex translate \
treepath unicode_codepoints_from_string unicode_codepoints_to_string unixtime_microseconds_todatetime \
unixtime_milliseconds_todatetime unixtime_nanoseconds_todatetime unixtime_seconds_todatetime url_encode \
url_encode_component week_of_year weekofyear welch_test zip zlib_compress_to_base64_string \
zlib_decompress_from_base64_string";

/// What is known of a function's name.
pub(super) enum Known {
    Evaluated(&'static Signature),
    /// It looks across records.
    Across,
    /// It is Kusto's, but not evaluated.
    Unevaluated,
    Unknown,
}

/// Looks a function up.
pub(super) fn find(name: &str) -> Known {
    if let Ok(at) = EVALUATED.binary_search_by_key(&name, |signature| signature.name) {
        return Known::Evaluated(&EVALUATED[at]);
    }
    match name {
        _ if ACROSS.contains(&name) => Known::Across,
        _ if KNOWN.split(' ').any(|known| known == name) => Known::Unevaluated,
        _ => Known::Unknown,
    }
}

/// Names to look among for one that was misspelt.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let evaluated = EVALUATED.iter().map(|signature| signature.name);
    evaluated.chain(KNOWN.split(' '))
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_sorted() {
        assert!(super::EVALUATED.is_sorted_by_key(|signature| signature.name));
    }
}
