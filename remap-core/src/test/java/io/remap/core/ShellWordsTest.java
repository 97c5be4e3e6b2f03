package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.remap.api.DeviceUri;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ShellWordsTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "disk.img|disk.img",
                "-x.img|./-x.img",
                "--spare|./--spare",
                "/dev/sdb1|/dev/sdb1",
                "my disk|'my disk'",
                "-my disk|'./-my disk'",
                "it's|'it'\\''s'",
                "file:-x?offset=4096|'file:-x?offset=4096'"
            })
    void aDeviceIsOneWordAndNoOption(String device, String word) {
        assertEquals(word, ShellWords.device(device));
    }

    /** The command that is shown, and run by 'remap assemble'. */
    @ParameterizedTest
    @CsvSource({"-x.img, ./-x.img", "x.img, x.img", "/a/-x, /a/-x", "file:-x?offset=4096, file:-x?offset=4096"})
    void discoveryNamesNoOption(String given, String name) throws Exception {
        assertEquals(name, Discovery.nameOf(DeviceUri.parse(given)));
    }
}
