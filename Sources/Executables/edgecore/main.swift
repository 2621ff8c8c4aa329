import EdgeCoreApp

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

exit(await EdgeCoreProgram.main(Array(CommandLine.arguments.dropFirst())))
