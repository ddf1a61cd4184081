// Gives OpenBLAS its AVX-512 kernels on CPUs that are newer than it.
//
// Why this exists: OpenBLAS picks its kernels in its own load-time constructor, by CPU model first and by features second.
// Where a release misjudges a CPU and falls back to kernels without AVX-512, it runs at half its speed (one Zen 5 core, sgemm
// 2048^3: 118 GFLOP/s as Haswell, 231 as SkylakeX). The only control, the environment variable OPENBLAS_CORETYPE, is read
// before any code of the program runs. So a constructor here, which runs after that of the libopenblas it is linked to,
// lets OpenBLAS choose again with that variable set for the moment. Where OpenBLAS chooses well (0.3.21 finds Cooperlake on
// Zen 5 by its features) nothing is changed.
//
// When it can go: once OpenBLAS 0.3.30 is the oldest release supported.
//
// Nothing of OpenBLAS is linked here: what is needed is looked up at run time, and where any of it is missing, OpenBLAS's
// choice stands. A user's OPENBLAS_CORETYPE is respected; ATTENTION_KEEP_BLAS_CORE=1 switches this off.

#ifndef CBLASCORE_H
#define CBLASCORE_H

/// What happened when the program was loaded. All strings are static and never NULL.
struct CBLASCore_decision {
  /// The name of the kernels that OpenBLAS picked by itself, "Haswell" for instance; empty where it was not asked.
  const char *picked;
  /// The name of the kernels in use after that; the same where the choice stands.
  const char *now;
  /// Why the choice was replaced, or why it stands: half a sentence.
  const char *reason;
};

/// What the constructor decided. Never NULL; reading it is safe from any thread.
///
/// A call from elsewhere also makes the linker take this object out of a static archive.
const struct CBLASCore_decision *CBLASCore_choice(void);

#endif
