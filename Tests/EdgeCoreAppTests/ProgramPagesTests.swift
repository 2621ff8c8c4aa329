import Testing

@testable import EdgeCoreApp

@Suite("The program's pages")
struct ProgramPagesTests {
    private static let maps = """
        5500-5600 r--p 00000000 fe:00 11                         /usr/bin/edgecore
        5600-5800 r-xp 00100000 fe:00 11                         /usr/bin/edgecore
        5800-5900 r--p 00300000 fe:00 11                         /usr/bin/edgecore
        5900-5a00 rw-p 00400000 fe:00 11                         /usr/bin/edgecore
        6000-6100 rw-p 00000000 00:00 0 [heap]
        7000-7100 r--p 00000000 fe:00 12 /lib/libc.so.6
        7100-7200 r-xp 00100000 fe:00 12 /lib/libc.so.6
        7300-7400 r--p 00000000 fe:00 13 /usr/share/data with blanks
        7400-7500 r-xp 00000000 fe:00 14 /usr/bin/former (deleted)
        7600-7700 r-xp 00000000 00:00 0 [vdso]
        """

    @Test("code and the constants before it can be given back; relocated, writable, foreign and deleted ones stay")
    func choice() {
        let starts = ProgramPages.returnable(Self.maps).map(\.start)
        #expect(starts == [0x5500, 0x5600, 0x7000, 0x7100])
    }

    @Test("a process that gave its pages back goes on")
    func goesOn() {
        ProgramPages.giveBack()
        #expect(ProgramPages.returnable(Self.maps).count == 4)
    }
}
