package io.remap.core.io;

import io.remap.testkit.BufferPoolContract;

class PlainBufferPoolTest extends BufferPoolContract {
    PlainBufferPoolTest() {
        super(new PlainBufferPoolProvider());
    }
}
