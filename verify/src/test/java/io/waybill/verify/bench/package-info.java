/* SPDX-License-Identifier: Apache-2.0 */
/** Programs that measure, run by hand through `verify/compare`; no test depends on speed. */
package io.waybill.verify.bench;
