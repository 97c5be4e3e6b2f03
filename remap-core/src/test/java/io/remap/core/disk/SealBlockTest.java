package io.remap.core.disk;

import io.remap.testkit.FormatPage;
import org.junit.jupiter.api.Test;

class SealBlockTest {
    @Test
    void theFormatPageSaysWhatTheCodeDoes() throws Exception {
        FormatPage page = new FormatPage();
        page.assertHasOffsetsOf(SealBlock.class);
        page.assertHasMagic(SealBlock.MAGIC);
    }
}
