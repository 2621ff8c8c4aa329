import Primitives

/// The certificate exchange of a Go edgecore with a Go cloudcore v1.17.0, of a cluster that no longer exists (captures, file 01).
enum Captured {
    static let authority = bytes(
        "MIIBejCCAR+gAwIBAgICBAAwCgYIKoZIzj0EAwIwEzERMA8GA1UEAxMIS3ViZUVkZ2UwIBcNMjYxMTIzMTEwMjQwWhgPMjEyNjEwMzAxMTAyNDBaMBMxETAP"
            + "BgNVBAMTCEt1YmVFZGdlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2DLKd+LNmSAzLOipm7jqqAhEH5skD9ROxBZbY8qV/ipvZ+pD0r5/w7hm85u0zDUY"
            + "x4YJ971NeKgkTNF3YoEYWaNhMF8wDgYDVR0PAQH/BAQDAgKkMB0GA1UdJQQWMBQGCCsGAQUFBwMBBggrBgEFBQcDAjAPBgNVHRMBAf8EBTADAQH/MB0GA1Ud"
            + "DgQWBBT/VcJk7KJh3Xkd01LkyxMs7eLNzTAKBggqhkjOPQQDAgNJADBGAiEAzI8z0so2wJJu+zwNN/eFjo91u6JLUDbHksMo7K+bZs8CIQD5hjw5JAmvg/8B"
            + "3VcN3TFc0XT2vOYProTzLqiRroe8hw==")
    static let request = bytes(
        "MIIBJjCBzAIBADBqMQswCQYDVQQGEwJDTjERMA8GA1UECBMIWmhlamlhbmcxETAPBgNVBAcTCEhhbmd6aG91MRUwEwYDVQQKEwxzeXN0ZW06bm9kZXMxHjAc"
            + "BgNVBAMTFXN5c3RlbTpub2RlOmVkZ2Utbm9kZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABM6pg//OpVtnk32BvF/KaC8G3GCuSy8aLK9r9MRD+bmXMk37"
            + "r2lgvgiUJJjvMBgEk9lmFlHnR0PnAHwIDQLdm52gADAKBggqhkjOPQQDAgNJADBGAiEA4GHOf9UuhFf8gz24K11PmRTuRqVKs2/Fpd/rDM1h5+0CIQCIkfMS"
            + "gwwhBVn0rvtuZWsyCpY1K5byacVPntEIi2v98g==")
    static let leaf = bytes(
        "MIIBiTCCAS6gAwIBAgIIQp2PBxxSp14wCgYIKoZIzj0EAwIwEzERMA8GA1UEAxMIS3ViZUVkZ2UwHhcNMjYxMTIzMTExMjQ3WhcNMjcxMTIzMTExMjQ3WjA3"
            + "MRUwEwYDVQQKEwxzeXN0ZW06bm9kZXMxHjAcBgNVBAMTFXN5c3RlbTpub2RlOmVkZ2Utbm9kZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABM6pg//OpVtn"
            + "k32BvF/KaC8G3GCuSy8aLK9r9MRD+bmXMk37r2lgvgiUJJjvMBgEk9lmFlHnR0PnAHwIDQLdm52jSDBGMA4GA1UdDwEB/wQEAwIFoDATBgNVHSUEDDAKBggr"
            + "BgEFBQcDAjAfBgNVHSMEGDAWgBT/VcJk7KJh3Xkd01LkyxMs7eLNzTAKBggqhkjOPQQDAgNJADBGAiEAjVM6k/I9mmmcqqsZLAtjAvMs9tfVywsIZ4HvQv7a"
            + "NnkCIQCnyKb+61BR+0d1jRoWyeEGpwT6OuVbKg/Wby+nihyyEg==")
    static let webToken =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3OTU1MTg3NjV9.FQrZ7R3A70-tYaTEDd-aQVtZ5vg8vGJVAlmfAQyd6Fw"

    private static func bytes(_ base64: String) -> [UInt8] { Base64.decode(base64) ?? [] }
}
