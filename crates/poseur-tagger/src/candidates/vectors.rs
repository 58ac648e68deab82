//! Which vectors the processor has for the searches that are written for them.

/// The vectors that a search can use, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum Vectors {
    /// None.
    None,
    /// AVX2, and POPCNT.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512BW, and POPCNT.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// What this processor has.
pub fn vectors() -> Vectors {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("popcnt")
    {
        return match std::arch::is_x86_feature_detected!("avx512bw") {
            true => Vectors::Avx512,
            false => Vectors::Avx2,
        };
    }
    Vectors::None
}

/// All that can be tried here.
#[cfg(test)]
pub fn all_vectors() -> impl Iterator<Item = Vectors> {
    #[cfg(target_arch = "x86_64")]
    let all = [Vectors::None, Vectors::Avx2, Vectors::Avx512];
    #[cfg(not(target_arch = "x86_64"))]
    let all = [Vectors::None];
    all.into_iter().filter(|&one| one <= vectors())
}
