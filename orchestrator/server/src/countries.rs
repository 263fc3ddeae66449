//! The countries there are: officially assigned ISO 3166-1 alpha-2 codes.

/// Sorted, for binary search.
const CODES: [[u8; 2]; 249] = codes(
    b"ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCW\
      CXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIR\
      ISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNE\
      NFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTF\
      TGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW",
);

const fn codes(letters: &[u8; 498]) -> [[u8; 2]; 249] {
    let mut codes = [[0; 2]; 249];
    let mut i = 0;
    while i < codes.len() {
        codes[i] = [letters[2 * i], letters[2 * i + 1]];
        i += 1;
    }
    codes
}

/// Whether `code` is the code of a country, in capital letters.
pub(crate) fn exists(code: &str) -> bool {
    matches!(code.as_bytes(), &[a, b] if CODES.binary_search(&[a, b]).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_sorted_and_different() {
        assert!(CODES.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(CODES.as_flattened().iter().all(u8::is_ascii_uppercase));
    }

    #[test]
    fn real_countries_are_there_and_others_are_not() {
        // Every country of the invoices the demo replays is among the good ones.
        for good in
            ["GB", "FR", "AU", "NL", "DE", "NO", "IE", "CH", "ES", "PL", "PT", "IT", "BE", "LT", "JP", "AX"]
        {
            assert!(exists(good), "{good}");
        }
        for bad in ["", "G", "gb", "Gb", "GBR", "UK", "EU", "XX", "AA", "ZZ", "AN", "SU", "99", "É"] {
            assert!(!exists(bad), "{bad}");
        }
    }
}
