package io.remap.iopt;

import io.remap.testkit.BufferPoolContract;

class FastBufferPoolTest extends BufferPoolContract {
    FastBufferPoolTest() {
        super(new FastBufferPoolProvider());
    }
}
